#include "installer/support/redact.hpp"

#include <algorithm>
#include <array>

#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::string_view kGone = "[redacted]";
// Names of values that are secrets, in lower case.
constexpr std::array<std::string_view, 15> kNames = {
    "client-key-data", "token",    "certificatekey", "certificate-key",  "tlsbootstraptoken",
    "token-id",        "password", "passwd",         "bearer",           "identitytoken",
    "token-secret",    "auth",     "secret",         "registrypassword", "bearertoken"};
// Shorter words are no secrets, and would tear up the text.
constexpr std::size_t kShortestSecret = 8;

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool in_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool in_jwt(char c) {
  return in_word(c) || c == '-' || c == '.';
}
bool ends_value(char c) {
  return c == ' ' || c == '\t' || c == ',' || c == '"' || c == '\'' || c == '}' || c == ']' ||
         c == '\r' || c == '\\';
}

bool begins_private_key(std::string_view line) {
  return line.find("-----BEGIN ") != std::string_view::npos &&
         line.find("PRIVATE KEY-----") != std::string_view::npos;
}
bool ends_private_key(std::string_view line) {
  return line.find("-----END ") != std::string_view::npos &&
         line.find("PRIVATE KEY-----") != std::string_view::npos;
}

// Where the value of the name that ends at `at` begins, or npos when no value follows:
// `token: x`, `"token":"x"`, `token = "x"`, `--token x`.
std::size_t value_after(std::string_view line, std::size_t at, bool flag) {
  while (at < line.size() && (line[at] == '"' || line[at] == '\'' || line[at] == '\\')) ++at;
  const std::size_t after_name = at;
  while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
  const bool separated = at < line.size() && (line[at] == ':' || line[at] == '=');
  if (separated) {
    ++at;
  } else if (!flag || at == after_name) {
    return std::string_view::npos;
  }
  while (at < line.size() && (line[at] == ' ' || line[at] == '\t' || line[at] == '"' ||
                              line[at] == '\'' || line[at] == '\\'))
    ++at;
  return at < line.size() ? at : std::string_view::npos;
}

std::string without_named_values(const std::string& line) {
  const std::string lower = to_lower(line);
  std::string out;
  std::size_t from = 0, at = 0;
  while (at < line.size()) {
    const bool starts = at == 0 || !in_word(line[at - 1]);
    const auto name = std::find_if(kNames.begin(), kNames.end(), [&](std::string_view word) {
      return starts && std::string_view(lower).substr(at).starts_with(word) &&
             (at + word.size() == line.size() || !in_jwt(line[at + word.size()]));
    });
    if (name == kNames.end()) {
      ++at;
      continue;
    }
    // "Authorization: Bearer x" has a space only, as flags have.
    const bool flag = *name == "bearer" || (at >= 2 && line.compare(at - 2, 2, "--") == 0);
    const std::size_t value = value_after(line, at + name->size(), flag);
    at += name->size();
    if (value == std::string_view::npos || line.compare(value, kGone.size(), kGone) == 0) continue;
    std::size_t end = value;
    while (end < line.size() && !ends_value(line[end])) ++end;
    if (end == value) continue;
    out += line.substr(from, value - from);
    out += kGone;
    from = at = end;
  }
  return out + line.substr(from);
}

// Replaces the runs that `length` (of a run that starts there, 0: none) finds.
template <typename Length>
std::string without_runs(const std::string& line, Length length) {
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t size = length(line, at);
    if (size == 0) {
      out += line[at++];
    } else {
      out += kGone;
      at += size;
    }
  }
  return out;
}

std::size_t bootstrap_token(const std::string& line, std::size_t at) {
  constexpr std::size_t kId = 6, kSize = 23;
  if (at + kSize > line.size() || line[at + kId] != '.') return 0;
  if (at > 0 && (in_word(line[at - 1]) || line[at - 1] == '.' || line[at - 1] == '-')) return 0;
  if (at + kSize < line.size() && (in_word(line[at + kSize]) || line[at + kSize] == '.')) return 0;
  for (std::size_t i = 0; i < kSize; ++i)
    if (i != kId && !in_token(line[at + i])) return 0;
  return kSize;
}

std::size_t web_token(const std::string& line, std::size_t at) {
  constexpr std::size_t kShortest = 40;
  if (line.compare(at, 3, "eyJ") != 0 || (at > 0 && in_word(line[at - 1]))) return 0;
  std::size_t end = at;
  while (end < line.size() && in_jwt(line[end])) ++end;
  const auto dots = std::count(line.begin() + static_cast<std::ptrdiff_t>(at),
                               line.begin() + static_cast<std::ptrdiff_t>(end), '.');
  return end - at >= kShortest && dots == 2 ? end - at : 0;
}

}  // namespace

std::string redact(std::string_view text, const std::vector<std::string>& secrets) {
  std::string whole(text);
  for (const std::string& secret : secrets) {
    if (secret.size() < kShortestSecret) continue;
    for (std::size_t at = whole.find(secret); at != std::string::npos;
         at = whole.find(secret, at + kGone.size()))
      whole.replace(at, secret.size(), kGone);
  }
  std::string out;
  bool in_key = false;
  auto lines = split(whole, '\n');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    const bool last = i + 1 == lines.size();
    if (in_key) {
      in_key = !ends_private_key(line);
      continue;
    }
    if (begins_private_key(line)) {
      out += "[redacted private key]";
      // A log may hold one in a single line.
      in_key = !ends_private_key(line);
    } else {
      out += without_runs(without_runs(without_named_values(line), bootstrap_token), web_token);
    }
    if (!last) out += '\n';
  }
  return out;
}

std::vector<std::string> private_key_lines(std::string_view pem) {
  std::vector<std::string> result;
  bool in_key = false;
  for (const std::string& line : split(pem, '\n')) {
    if (ends_private_key(line)) in_key = false;
    if (in_key && !trim(line).empty()) result.emplace_back(trim(line));
    if (begins_private_key(line)) in_key = true;
  }
  return result;
}

}  // namespace kbundle
