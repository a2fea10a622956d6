// A container runtime that the kubelet talks to, as install needs it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/stream.hpp"
#include "installer/phase.hpp"

namespace kbundle {

struct Context;

/// A name in the runtime's image store.
struct RuntimeImage {
  std::string name;
  Digest digest;
  bool complete = false;  ///< all content of this platform is there and unpacked
  bool pinned = false;    ///< kept from garbage collection
};

class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual std::string name() const = 0;
  /// Whether the host has one of its own, which is configured but never replaced.
  virtual bool host_has_own() const = 0;
  /// "1.6.20", or empty when it cannot be told yet.
  virtual std::string version() const = 0;
  /// Installed, configured for this cluster (pause image, plugins) and answering.
  virtual PhaseCheck check() = 0;
  virtual void ensure() = 0;
  /// Path of the CRI socket, without scheme.
  virtual std::string cri_socket() const = 0;
  /// "systemd" or "cgroupfs": what the kubelet must use as well.
  virtual std::string cgroup_driver() const = 0;
  /// Whether it answers now; the calls below need that.
  virtual bool answers() const = 0;
  virtual std::vector<RuntimeImage> images() const = 0;
  /// Loads an image archive that `feed` writes.
  virtual void load(const std::function<void(Sink&)>& feed) = 0;
  virtual void pin(const std::string& image) = 0;
};

std::unique_ptr<Runtime> make_containerd(Context& context);

}  // namespace kbundle
