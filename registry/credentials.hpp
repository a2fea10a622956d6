// What `docker login` left: ~/.docker/config.json and its credential helpers.
// https://docs.docker.com/reference/cli/docker/login/#credential-stores
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/json.hpp"

namespace kbundle {

struct Credential {
  std::string user;
  std::string password;
  std::string identity_token;  ///< OAuth2 refresh token; then user and password are not used
  bool empty() const { return identity_token.empty() && user.empty() && password.empty(); }
};

/// Immutable after construction, so thread-safe.
class Credentials {
 public:
  /// `place` is a config.json or its folder; empty: $DOCKER_CONFIG, else ~/.docker. A missing file
  /// is no credentials, a broken one Error{usage}.
  explicit Credentials(const std::filesystem::path& place = {});

  /// For a registry's host ("docker.io", "localhost:5000"); empty() when there is none, also when
  /// a helper does not give any.
  Credential find(const std::string& host) const;

 private:
  Json config_ = Json::object();
  std::string file_;
};

/// "https://index.docker.io/v1/" and "docker.io" are the same registry: the host in a key of
/// `auths`, or empty when the key names a path below a host.
std::string registry_of_key(std::string_view key);

}  // namespace kbundle
