#include "installer/yaml_json.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kSizeLimit = 1U << 20U;
constexpr std::size_t kDepthLimit = 64;
constexpr std::size_t kValueLimit = 100'000;

bool one_of(const std::string& text, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* word) { return text == word; });
}

// Plain scalars as Kubernetes' own YAML reader takes them, but for numbers in unusual spelling
// ("1e5", "0x10"): those are strings here, because the fields they appear in are tokens and names.
Json plain_scalar(const std::string& text) {
  if (text.empty() || one_of(text, {"~", "null", "Null", "NULL"})) return nullptr;
  if (one_of(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (one_of(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}))
    return false;
  const bool negative = text[0] == '-';
  const std::string digits = negative ? text.substr(1) : text;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!digits.empty() && std::all_of(digits.begin(), digits.end(), is_digit) &&
      (digits.size() == 1 || digits[0] != '0')) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
    return text;
  }
  const auto point = digits.find('.');
  if (point != std::string::npos && point > 0 && point + 1 < digits.size() &&
      std::count_if(digits.begin(), digits.end(), is_digit) ==
          static_cast<std::ptrdiff_t>(digits.size() - 1))
    return std::stod(text);
  return text;
}

class Converter {
 public:
  explicit Converter(const std::string& what) : what_(what) {}

  Json convert(const YAML::Node& node, std::size_t depth) {
    if (depth > kDepthLimit || ++values_ > kValueLimit)
      throw Error(ExitCode::usage, what_ + ": nested too deeply or too large");
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str"
                   ? Json(node.Scalar())
                   : plain_scalar(node.Scalar());
      case YAML::NodeType::Sequence: {
        Json list = Json::array();
        for (const auto& item : node) list.push_back(convert(item, depth + 1));
        return list;
      }
      case YAML::NodeType::Map: {
        Json object = Json::object();
        for (const auto& item : node) {
          if (!item.first.IsScalar()) throw Error(ExitCode::usage, what_ + ": a key is not a word");
          if (!object.emplace(item.first.Scalar(), convert(item.second, depth + 1)).second)
            throw Error(ExitCode::usage, what_ + ": the key \"" + printable(item.first.Scalar()) +
                                             "\" stands twice");
        }
        return object;
      }
      default:
        return nullptr;
    }
  }

 private:
  const std::string& what_;
  std::size_t values_ = 0;
};

std::string quoted(const std::string& text) {
  // A JSON string is a double-quoted YAML scalar.
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string key_text(const std::string& key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
  // "on: x" and the like would be read as something else.
  return plain && plain_scalar(key).is_string() && key.size() > 1 && key[0] != '-' ? key
                                                                                   : quoted(key);
}

bool is_block(const Json& value) {
  return value.is_structured() && !value.empty();
}

void emit(std::string& out, const Json& value, std::size_t indent, bool in_item);

void emit_member(std::string& out, const Json& value, std::size_t indent) {
  if (!is_block(value)) {
    out += " ";
    emit(out, value, indent, false);
  } else {
    out += "\n";
    emit(out, value, indent, false);
  }
}

void emit(std::string& out, const Json& value, std::size_t indent, bool in_item) {
  const std::string space(indent, ' ');
  if (value.is_string()) {
    out += quoted(value.get<std::string>()) + "\n";
  } else if (!is_block(value)) {
    out += value.dump() + "\n";
  } else if (value.is_object()) {
    bool first = true;
    for (const auto& [key, member] : value.items()) {
      out += (first && in_item ? "" : space) + key_text(key) + ":";
      emit_member(out, member, indent + 2);
      first = false;
    }
  } else {
    bool first = true;
    for (const Json& item : value) {
      out += (first && in_item ? "" : space) + "- ";
      emit(out, item, indent + 2, true);
      first = false;
    }
  }
}

}  // namespace

std::vector<Json> yaml_documents(std::string_view text, const std::string& what) {
  if (text.size() > kSizeLimit) throw Error(ExitCode::usage, what + " is larger than 1 MiB");
  std::vector<Json> documents;
  try {
    for (const YAML::Node& node : YAML::LoadAll(std::string(text))) {
      if (!node.IsDefined() || node.IsNull()) continue;
      documents.push_back(Converter(what).convert(node, 0));
    }
  } catch (const YAML::Exception& error) {
    throw Error(ExitCode::usage,
                what + ", line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  return documents;
}

std::string to_yaml(const Json& value) {
  std::string out;
  emit(out, value, 0, false);
  return out;
}

}  // namespace kbundle
