// A runtime as a snapshot and a reset see it: the containers and images of Kubernetes in it. Needs
// no bundle, and works on what an install left at any point.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

class PodRuntime {
 public:
  virtual ~PodRuntime() = default;
  virtual std::string name() const = 0;
  /// Where make_pod_runtime() finds it again: a path, without scheme; empty where it needs none.
  virtual std::string socket() const { return {}; }
  /// Its systemd unit, "containerd.service".
  virtual std::string unit() const = 0;
  /// Whether it answers now. The calls below give empty lists, or Error{phase}, when not.
  virtual bool answers() const = 0;
  /// Ids of the pods' containers and sandboxes; Kubernetes' only.
  virtual std::vector<std::string> containers() const = 0;
  /// Kills it, and removes it with its file system. Absence is fine.
  virtual void remove_container(const std::string& id) const = 0;
  /// Every name in Kubernetes' image store.
  virtual std::vector<std::string> image_names() const = 0;
  /// What keeps unnamed content of a broken load for a while; empty where there is no such thing.
  virtual std::vector<std::string> leases() const { return {}; }
  virtual void remove_lease(const std::string& id) const { (void)id; }
  /// Removes the names, then frees the content that no name is left for.
  virtual void remove_images(const std::vector<std::string>& names) const = 0;
  /// Running containers that are not Kubernetes': where they are, for people.
  virtual std::vector<std::string> foreign_containers() const = 0;
};

/// containerd at this socket (a path, without scheme). `host` must outlive it.
std::unique_ptr<PodRuntime> make_containerd_pods(const Host& host, std::string socket);
std::unique_ptr<PodRuntime> make_docker_pods(const Host& host);
/// By the name that Runtime::name() gives, which stands in the receipt.
std::unique_ptr<PodRuntime> make_pod_runtime(const Host& host, const std::string& name,
                                             std::string socket);

}  // namespace kbundle
