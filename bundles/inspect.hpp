// What a bundle holds, for programs and for people.
#pragma once

#include <string>

#include "bundles/reader.hpp"
#include "core/json.hpp"

namespace kbundle {

/// id, size, signers and the inventory but for its blobs and frames, of which the counts are given.
Json inspect_json(const Bundle& bundle);

/// The same as text, with a table of images and one of files. Names are printable().
std::string inspect_table(const Bundle& bundle);

}  // namespace kbundle
