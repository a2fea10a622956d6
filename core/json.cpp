#include "core/json.hpp"

#include <set>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

[[noreturn]] void refuse(std::string_view what, const std::string& why) {
  throw Error(ExitCode::verification, std::string(what) + ": " + why);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view what, const JsonLimits& limits) {
  if (text.size() > limits.size) {
    refuse(what, std::to_string(text.size()) + " bytes of JSON, more than the limit of " +
                     std::to_string(limits.size));
  }
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  std::size_t values = 0;
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (static_cast<std::size_t>(depth) >= limits.depth) {
        refuse(what, "JSON nested deeper than " + std::to_string(limits.depth));
      }
    }
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second) {
      refuse(what, "the key \"" + printable(parsed.get<std::string>().substr(0, 80)) +
                       "\" stands twice in one object");
    }
    if (event != Event::key && ++values > limits.values) {
      refuse(what, "more than " + std::to_string(limits.values) + " JSON values");
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (const Json::parse_error& error) {
    // Never the text itself: credentials are parsed here, too.
    refuse(what, "not JSON, at byte " + std::to_string(error.byte));
  } catch (const Json::exception& error) {
    refuse(what, "not JSON (error " + std::to_string(error.id) + ")");
  }
}

std::string canonical_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::strict);
}

std::string json_string(const Json& object, const char* key, std::string_view what) {
  const auto member = object.is_object() ? object.find(key) : object.end();
  if (member == object.end() || !member->is_string()) {
    refuse(what, "\"" + std::string(key) + "\" is missing or not a string");
  }
  return member->get<std::string>();
}

std::uint64_t json_unsigned(const Json& object, const char* key, std::string_view what) {
  const auto member = object.is_object() ? object.find(key) : object.end();
  if (member == object.end() || !member->is_number_unsigned()) {
    refuse(what, "\"" + std::string(key) + "\" is missing or not a whole number");
  }
  return member->get<std::uint64_t>();
}

const Json& json_array(const Json& object, const char* key, std::string_view what) {
  const auto member = object.is_object() ? object.find(key) : object.end();
  if (member == object.end() || !member->is_array()) {
    refuse(what, "\"" + std::string(key) + "\" is missing or not a list");
  }
  return *member;
}

}  // namespace kbundle
