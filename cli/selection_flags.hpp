// The flags that say which part of a list of images is meant.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "distribution/image_tree.hpp"

namespace kbundle::cli {

/// --arch and --referrers; `otherwise` says what is meant without --arch.
void add_selection_flags(CLI::App& verb, std::vector<std::string>& architectures, bool& referrers,
                         const std::string& otherwise = "this host's");
/// "all" selects everything; no word leaves the selection as it is.
void select(const std::vector<std::string>& architectures, Selection& selection);

}  // namespace kbundle::cli
