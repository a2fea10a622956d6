// containerd's hosts.toml: the file that tells a node's containerd where the images of one
// upstream host are to be had. Text only; nobody is asked anything.
// https://github.com/containerd/containerd/blob/v1.6.20/docs/hosts.md
#pragma once

#include <string>
#include <vector>

namespace kbundle {

struct HostsToml {
  /// A place that has upstream's images.
  struct Endpoint {
    /// "https://registry.local:5000", or with the prefix in front of upstream's repository paths
    /// "https://registry.local:5000/v2/k8s"; then override_path must be set.
    std::string url;
    bool override_path = false;  ///< the URL is the whole API path: containerd adds no "/v2"
    std::string ca;              ///< the CA's file on the node; empty: the system's
  };

  std::string upstream;  ///< host in the images' names: "k8s.gcr.io", "docker.io"
  /// Asked when no endpoint has the image; empty: where upstream's host really answers
  /// ("https://registry-1.docker.io" for docker.io).
  std::string server{};
  std::vector<Endpoint> endpoints{};  ///< in the order they are to be asked

  /// The endpoint for HOST[:PORT] with a prefix (without slashes at its ends; may be empty).
  static Endpoint endpoint(const std::string& host, const std::string& prefix, bool plain_http,
                           const std::string& ca = {});
  /// "/etc/containerd/certs.d/k8s.gcr.io/hosts.toml"
  std::string path() const;
  /// The file's content, with a line break at its end.
  std::string text() const;
  /// What /etc/containerd/config.toml needs so that containerd 1.5 and later look at such files.
  static std::string containerd_config();
};

}  // namespace kbundle
