// `kbundle certs`: until when this node's certificates hold, and new ones before they end.
#pragma once

#include <chrono>
#include <optional>
#include <ostream>

#include "core/progress.hpp"

namespace kbundle {

struct CertsOptions {
  bool json = false;
  bool renew = false;
  /// With `renew`: only when one that kubeadm renews ends within this time. Absent: at once.
  std::optional<std::chrono::hours> before;
  bool install_timer = false, remove_timer = false;
};

/// "30d", "720h" -> hours. Error{usage}.
std::chrono::hours parse_lead_time(const std::string& text);

/// Throws Error: preflight (3), busy (7), phase (8). A renewal that was killed is continued by the
/// next one, whatever is due.
void certs(const CertsOptions& options, Progress& progress, std::ostream& out);

}  // namespace kbundle
