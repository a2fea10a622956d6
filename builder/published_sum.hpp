// The SHA-256 sums that projects publish beside their release files.
#pragma once

#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace kbundle {

/// The sum of the file called `name`. Takes a bare digest, "digest  name" (a star before the name
/// and ./ too), and such lines inside clear-signed text (whose signature is not looked at).
/// Error{verification} naming `what` when there is none, or more than one that differ.
Digest published_sum(std::string_view text, std::string_view name, std::string_view what);

}  // namespace kbundle
