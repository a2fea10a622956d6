// JSON from untrusted bytes, with limits, and canonical JSON for what is signed.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace kbundle {

using Json = nlohmann::json;  // object keys are sorted: dump() is canonical for our use

struct JsonLimits {
  std::size_t size = 4U << 20U;  ///< bytes
  std::size_t depth = 32;
  std::size_t values = 1'000'000;  ///< scalars and containers in all
};

/// Parses, refusing what is larger or deeper than the limits, duplicate keys, and trailing bytes.
/// Error{verification} naming `what`.
Json parse_json(std::string_view text, std::string_view what, const JsonLimits& limits = {});

/// Sorted keys, no white space, UTF-8 as is: the one spelling of a value.
std::string canonical_json(const Json& value);

/// Typed member access with an Error{verification} that names `what` and the key.
std::string json_string(const Json& object, const char* key, std::string_view what);
std::uint64_t json_unsigned(const Json& object, const char* key, std::string_view what);
const Json& json_array(const Json& object, const char* key, std::string_view what);

}  // namespace kbundle
