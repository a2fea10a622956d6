#include "registry/credentials.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/process.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr const char* kDockerHubKey = "https://index.docker.io/v1/";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::filesystem::path config_file(std::filesystem::path place) {
  if (place.empty()) place = environment("DOCKER_CONFIG");
  if (place.empty()) {
    const std::string home = environment("HOME");
    if (home.empty()) return {};
    place = std::filesystem::path(home) / ".docker";
  }
  std::error_code ignored;
  return std::filesystem::is_directory(place, ignored) ? place / "config.json" : place;
}

std::string text_member(const Json& object, const char* key) {
  const auto value = object.find(key);
  return value != object.end() && value->is_string() ? value->get<std::string>() : std::string();
}

std::optional<Credential> from_auths(const Json& auths, const std::string& host,
                                     const std::string& file) {
  for (const auto& [key, entry] : auths.items()) {
    if (registry_of_key(key) != host || !entry.is_object()) continue;
    Credential credential;
    credential.identity_token = text_member(entry, "identitytoken");
    credential.user = text_member(entry, "username");
    credential.password = text_member(entry, "password");
    if (const std::string auth = text_member(entry, "auth"); !auth.empty()) {
      const std::string plain =
          base64_decode(auth, fmt::format("{}: auth of {}", file, printable(key)));
      const std::size_t colon = plain.find(':');
      if (colon != std::string::npos) {
        credential.user = plain.substr(0, colon);
        credential.password = plain.substr(colon + 1);
        // Old Docker versions padded with zeros.
        while (credential.password.ends_with('\0')) credential.password.pop_back();
      }
    }
    if (!credential.empty()) return credential;
  }
  return std::nullopt;
}

bool is_helper_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

// docker-credential-NAME get: the server's URL on standard input, JSON on standard output.
std::optional<Credential> from_helper(const std::string& name, const std::string& server) {
  if (!is_helper_name(name)) return std::nullopt;
  Command command;
  command.argv = {"docker-credential-" + name, "get"};
  if (!find_program(command.argv[0])) return std::nullopt;
  command.input = server + "\n";
  command.timeout = std::chrono::seconds(30);
  for (const char* variable : {"HOME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
                               "GNUPGHOME", "PASSWORD_STORE_DIR"}) {
    if (const std::string value = environment(variable); !value.empty())
      command.environment[variable] = value;
  }
  const CommandResult result = run(command);
  if (!result.ok()) return std::nullopt;  // "credentials not found in native keychain" exits 1
  const Json answer = parse_json(result.output, command.argv[0] + "'s output");
  if (!answer.is_object()) return std::nullopt;
  Credential credential;
  credential.user = text_member(answer, "Username");
  credential.password = text_member(answer, "Secret");
  if (credential.user == "<token>") {
    credential.identity_token = credential.password;
    credential.user.clear();
    credential.password.clear();
  }
  if (credential.empty()) return std::nullopt;
  return credential;
}

}  // namespace

std::string registry_of_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  const std::size_t slash = key.find('/');
  const std::string_view path = slash == std::string_view::npos ? "" : key.substr(slash);
  if (!path.empty() && path != "/" && path != "/v1" && path != "/v1/" && path != "/v2" &&
      path != "/v2/")
    return {};
  std::string host = to_lower(key.substr(0, slash));
  if (host == "index.docker.io" || host == "registry-1.docker.io") host = "docker.io";
  return host;
}

Credentials::Credentials(const std::filesystem::path& place) {
  const std::filesystem::path file = config_file(place);
  if (file.empty()) return;
  file_ = file.string();
  const auto text = read_file_if_exists(file, 4U << 20U);
  if (!text) return;
  try {
    config_ = parse_json(*text, file_);
  } catch (const Error& error) {
    throw Error(ExitCode::usage, error.message(), "repair it, or move it away and log in again");
  }
  if (!config_.is_object())
    throw Error(ExitCode::usage, file_ + " is not a JSON object",
                "repair it, or move it away and log in again");
}

Credential Credentials::find(const std::string& host) const {
  const std::string server = host == "docker.io" ? kDockerHubKey : host;
  // As Docker does: a host's own helper, else the store, else the file.
  if (const auto helpers = config_.find("credHelpers");
      helpers != config_.end() && helpers->is_object()) {
    for (const auto& [key, name] : helpers->items()) {
      if (registry_of_key(key) != host || !name.is_string()) continue;
      if (auto found = from_helper(name.get<std::string>(), server)) return *found;
    }
  }
  if (const std::string store = text_member(config_, "credsStore"); !store.empty()) {
    if (auto found = from_helper(store, server)) return *found;
  }
  if (const auto auths = config_.find("auths"); auths != config_.end() && auths->is_object()) {
    if (auto found = from_auths(*auths, host, file_)) return *found;
  }
  return {};
}

}  // namespace kbundle
