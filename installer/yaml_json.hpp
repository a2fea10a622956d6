// YAML documents from users as JSON values, and back to YAML. JSON is what is merged: there a
// string stays a string ("1e5" as a token is no number).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"

namespace kbundle {

/// Limits: 1 MiB, 64 levels, 100,000 values after aliases are expanded. Error{usage} with `what`
/// and the line. Empty documents are left out.
std::vector<Json> yaml_documents(std::string_view text, const std::string& what);

/// Block style, keys sorted, every string in double quotes.
std::string to_yaml(const Json& value);

}  // namespace kbundle
