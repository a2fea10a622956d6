// What `docker login`, `podman login` and containerd's configuration left: Docker's config.json,
// containers' auth.json, and credential helpers.
// https://docs.docker.com/reference/cli/docker/login/#credential-stores
// https://github.com/containers/image/blob/v5.30.0/docs/containers-auth.json.5.md
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

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
  /// `place` is a config.json or auth.json or a config.json's folder, and then the only place.
  /// Empty: the first of these that has what is asked for: $REGISTRY_AUTH_FILE; $DOCKER_CONFIG,
  /// else ~/.docker; $XDG_RUNTIME_DIR/containers/auth.json (without that variable
  /// /run/containers/UID/auth.json); ~/.config/containers/auth.json; /etc/containerd/config.toml.
  /// A missing file is no credentials, a broken one Error{usage}.
  explicit Credentials(const std::filesystem::path& place = {});

  /// For a registry's host ("docker.io", "localhost:5000") and a repository there ("library/x";
  /// may be empty). In one file the key with the longest path that fits wins ("HOST/library"
  /// before "HOST"). empty() when there is none, also when a helper does not give any.
  Credential find(const std::string& host, const std::string& repository = {}) const;

 private:
  struct Place {
    Json config;
    std::string file;
  };
  void read(const std::filesystem::path& file);
  std::vector<Place> places_;
};

/// "https://index.docker.io/v1/" and "docker.io" are the same registry: the host in a key of
/// `auths`, or empty when the key names a path below a host.
std::string registry_of_key(std::string_view key);

/// The first repository in a token scope, "repository:library/x:pull,push …"; or empty.
std::string repository_of_scope(std::string_view scope);

}  // namespace kbundle
