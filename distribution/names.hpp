// Under which names a bundle's images stand in another registry.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "distribution/image_tree.hpp"
#include "registry/reference.hpp"

namespace kbundle {

/// "registry.local:5000" or "registry.local:5000/k8s".
struct RegistryPrefix {
  std::string host;
  std::string path;  ///< without slashes at its ends; may be empty
  /// Error{usage} naming what is wrong with `text`.
  static RegistryPrefix parse(std::string_view text);
  std::string str() const;
  /// The image below the prefix: upstream's repository path is kept, its host goes.
  Reference name(const Reference& upstream) const;
};

/// The repositories that an upstream image is looked for under, without host or prefix: its own
/// path first ("coredns/coredns"), then, where it differs, the path that kubeadm asks for below a
/// repository of one's own ("coredns": kubeadm's imageRepository). Each once.
/// `kubernetes_version` of the set ("v1.21.0"); empty or unknown: its own path only.
std::vector<std::string> repositories_of(const Reference& upstream,
                                         std::string_view kubernetes_version);

/// The images of a Kubernetes version with its network add-on, for all of the selection's
/// architectures (every one that the catalog knows, when all are selected).
std::vector<std::string> version_images(std::string_view kubernetes_version,
                                        const Selection& selection);

}  // namespace kbundle
