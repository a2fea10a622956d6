// cri-dockerd: what the kubelet speaks to from Kubernetes 1.24 on where the runtime is Docker. It
// comes with the bundle (`build --with cri-dockerd`); install gives it a unit.
#pragma once

#include <string>

#include "installer/context.hpp"

namespace kbundle {

class CriDockerd {
 public:
  static constexpr const char* kComponent = "cri-dockerd";
  static constexpr const char* kUnit = "cri-dockerd.service";
  static constexpr const char* kUnitFile = "/etc/systemd/system/cri-dockerd.service";
  static constexpr const char* kSocket = "/var/run/cri-dockerd.sock";

  /// `socket`: a path. The context must outlive it.
  CriDockerd(Context& context, std::string socket);

  /// Its unit is as it should be, starts with the host, and runs.
  PhaseCheck check() const;
  void ensure();
  /// The pause image that its unit names; empty: there is none yet.
  std::string sandbox_image() const;

 private:
  std::string unit_text() const;
  bool runs() const;

  Context& context_;
  std::string socket_;
};

/// Whether that Kubernetes' kubelet speaks to Docker by itself (dockershim): up to 1.23.
bool has_dockershim(const Version& kubernetes);

}  // namespace kbundle
