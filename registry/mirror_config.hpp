// Mirror rules in the words of the programs that pull at a site: containerd's hosts.toml and
// Docker's registry-mirrors. Neither can say all that a rule can; what they cannot is returned.
// https://github.com/containerd/containerd/blob/v1.6.20/docs/hosts.md
// https://docs.docker.com/docker-hub/image-library/mirror/
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "registry/hosts_toml.hpp"
#include "registry/mirrors.hpp"

namespace kbundle {

struct LeftOutRule {
  MirrorRule rule;
  std::string why;  ///< a sentence's end: "hosts.toml has no flat namespaces"
};

/// One hosts.toml for each upstream host.
struct ContainerdMirrors {
  std::vector<HostsToml> files;  ///< in the order in which the rules name their hosts
  std::vector<LeftOutRule> left_out;
  /// `plain_http`: hosts that speak HTTP.
  static ContainerdMirrors from(const Mirrors& mirrors, const std::vector<std::string>& plain_http);

  /// Error{usage} with what was left out, when there is nothing to write.
  void require_some() const;
  /// Writes FOLDER/<upstream host>/hosts.toml for each and returns the names. A file that is there
  /// and was not written by this function is Error{usage}, before anything is written; `force`
  /// replaces it. Nothing to write is Error{usage} with what was left out.
  std::vector<std::filesystem::path> write(const std::filesystem::path& folder, bool force) const;
};

/// "registry-mirrors" of Docker's daemon.json: whole hosts that have Docker Hub's images.
struct DockerMirrors {
  std::vector<std::string> urls;
  std::vector<LeftOutRule> left_out;
  static DockerMirrors from(const Mirrors& mirrors, const std::vector<std::string>& plain_http);

  /// daemon.json with these first, then the mirrors that it had; all else and its order stay.
  /// Error{usage} when `existing` (may be empty) is no such file.
  std::string merged(const std::string& existing, std::string_view what) const;
  /// As ContainerdMirrors::require_some().
  void require_some() const;
  /// merged() into a file, which keeps its permissions. Nothing to write is Error{usage}.
  void write(const std::filesystem::path& file) const;
};

}  // namespace kbundle
