#include "registry/credentials.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/process.hpp"
#include "core/text.hpp"
#include "registry/containerd_credentials.hpp"
#include "registry/environment.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kLargestFile = 4U << 20U;
constexpr const char* kContainerdConfig = "/etc/containerd/config.toml";
constexpr const char* kDockerHubKey = "https://index.docker.io/v1/";

std::filesystem::path in_folder(std::filesystem::path place) {
  std::error_code ignored;
  return std::filesystem::is_directory(place, ignored) ? place / "config.json" : place;
}

// Where credentials may lie when nobody names a file, in order.
std::vector<std::filesystem::path> usual_files() {
  std::vector<std::filesystem::path> files;
  const auto add = [&](const std::string& folder, const char* below) {
    if (!folder.empty()) files.push_back(std::filesystem::path(folder) / below);
  };
  const std::string home = environment("HOME");
  if (const std::string file = environment("REGISTRY_AUTH_FILE"); !file.empty())
    files.emplace_back(file);
  if (const std::string docker = environment("DOCKER_CONFIG"); !docker.empty())
    files.push_back(in_folder(docker));
  else
    add(home, ".docker/config.json");
  const std::string runtime = environment("XDG_RUNTIME_DIR");
  add(runtime.empty() ? fmt::format("/run/containers/{}", ::getuid()) : runtime + "/containers",
      "auth.json");
  const std::string config = environment("XDG_CONFIG_HOME");
  add(config.empty() && !home.empty() ? home + "/.config" : config, "containers/auth.json");
  return files;
}

std::string text_member(const Json& object, const char* key) {
  const auto value = object.find(key);
  return value != object.end() && value->is_string() ? value->get<std::string>() : std::string();
}

// A key of `auths`: "quay.io", "https://index.docker.io/v1/", "registry.example/team/app".
struct Key {
  std::string host, path;
};

Key split_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  const std::size_t slash = key.find('/');
  std::string_view path = slash == std::string_view::npos ? "" : key.substr(slash + 1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path == "v1" || path == "v2") path = {};
  std::string host = to_lower(key.substr(0, slash));
  if (host == "index.docker.io" || host == "registry-1.docker.io") host = "docker.io";
  return {host, std::string(path)};
}

bool is_below(std::string_view repository, std::string_view path) {
  return path.empty() || repository == path ||
         (repository.starts_with(path) && repository[path.size()] == '/');
}

Credential credential_in(const Json& entry, const std::string& what) {
  Credential credential;
  credential.identity_token = text_member(entry, "identitytoken");
  credential.user = text_member(entry, "username");
  credential.password = text_member(entry, "password");
  if (const std::string auth = text_member(entry, "auth"); !auth.empty()) {
    const std::string plain = base64_decode(auth, what);
    const std::size_t colon = plain.find(':');
    if (colon != std::string::npos) {
      credential.user = plain.substr(0, colon);
      credential.password = plain.substr(colon + 1);
      // Old Docker versions padded with zeros.
      while (credential.password.ends_with('\0')) credential.password.pop_back();
    }
  }
  return credential;
}

// The entry whose path is the longest that fits, at least `least` characters of it.
std::optional<Credential> from_auths(const Json& config, const std::string& host,
                                     const std::string& repository, std::size_t least,
                                     const std::string& file) {
  const auto auths = config.find("auths");
  if (auths == config.end() || !auths->is_object()) return std::nullopt;
  std::optional<Credential> best;
  std::size_t longest = 0;
  for (const auto& [text, entry] : auths->items()) {
    const Key key = split_key(text);
    if (key.host != host || !is_below(repository, key.path) || key.path.size() < least) continue;
    if (!entry.is_object() || (best && key.path.size() <= longest)) continue;
    Credential found = credential_in(entry, fmt::format("{}: auth of {}", file, printable(text)));
    if (found.empty()) continue;
    best = std::move(found);
    longest = key.path.size();
  }
  return best;
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

// In one file, as Docker does: a host's own helper, else the store, else the file; but what stands
// there for a path of the host is meant more closely than any of these.
std::optional<Credential> find_in(const Json& config, const std::string& host,
                                  const std::string& repository, const std::string& file) {
  if (auto found = from_auths(config, host, repository, 1, file)) return found;
  const std::string server = host == "docker.io" ? kDockerHubKey : host;
  if (const auto helpers = config.find("credHelpers");
      helpers != config.end() && helpers->is_object()) {
    for (const auto& [key, name] : helpers->items()) {
      if (registry_of_key(key) != host || !name.is_string()) continue;
      if (auto found = from_helper(name.get<std::string>(), server)) return found;
    }
  }
  if (const std::string store = text_member(config, "credsStore"); !store.empty()) {
    if (auto found = from_helper(store, server)) return found;
  }
  return from_auths(config, host, repository, 0, file);
}

}  // namespace

std::string registry_of_key(std::string_view key) {
  Key parts = split_key(key);
  return parts.path.empty() ? std::move(parts.host) : std::string();
}

std::string repository_of_scope(std::string_view scope) {
  constexpr std::string_view kKind = "repository:";
  scope = scope.substr(0, scope.find(' '));
  if (!scope.starts_with(kKind)) return {};
  scope.remove_prefix(kKind.size());
  return std::string(scope.substr(0, scope.find(':')));
}

Credentials::Credentials(const std::filesystem::path& place) {
  if (!place.empty()) {
    read(in_folder(place));
    return;
  }
  for (const std::filesystem::path& file : usual_files()) read(file);
  // Readable for root only, as a rule; then it is no place of ours.
  if (::access(kContainerdConfig, R_OK) == 0) {
    if (const auto text = read_file_if_exists(kContainerdConfig, kLargestFile))
      places_.push_back({containerd_auths(*text), kContainerdConfig});
  }
}

void Credentials::read(const std::filesystem::path& file) {
  const auto text = read_file_if_exists(file, kLargestFile);
  if (!text) return;
  Json config;
  try {
    config = parse_json(*text, file.string());
  } catch (const Error& error) {
    throw Error(ExitCode::usage, error.message(), "repair it, or move it away and log in again");
  }
  if (!config.is_object())
    throw Error(ExitCode::usage, file.string() + " is not a JSON object",
                "repair it, or move it away and log in again");
  places_.push_back({std::move(config), file.string()});
}

Credential Credentials::find(const std::string& host, const std::string& repository) const {
  for (const Place& place : places_) {
    if (auto found = find_in(place.config, host, repository, place.file)) return *found;
  }
  return {};
}

}  // namespace kbundle
