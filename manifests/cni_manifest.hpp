// A CNI add-on's Kubernetes manifest (YAML documents), as its project publishes it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kbundle {

/// Every image that a pod of this manifest would run on a node of `architecture`, in order, each
/// once. DaemonSets whose node affinity or selector names other architectures only are left out.
/// Error{verification} when the text is not Kubernetes YAML (limits: 4 MiB, 1,000 documents, no
/// aliases bombs).
std::vector<std::string> images_in_manifest(std::string_view yaml, const std::string& architecture,
                                            std::string_view what);

/// The same manifest with image names replaced (old, new), byte for byte the same elsewhere.
std::string retag_manifest(std::string_view yaml,
                           const std::vector<std::pair<std::string, std::string>>& names);

/// What the manifest will create: "DaemonSet kube-system/kube-flannel-ds-amd64", for plans and
/// waits.
struct ManifestObject {
  std::string kind, ns, name;
};
std::vector<ManifestObject> objects_in_manifest(std::string_view yaml, std::string_view what);

}  // namespace kbundle
