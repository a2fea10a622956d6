// Copies of the administrator's kubectl configuration in people's home folders.
#pragma once

#include <string>

#include "installer/host.hpp"

namespace kbundle {

/// Copies that equal `before` become what /etc/kubernetes/admin.conf is now, owner and mode kept;
/// others, and links, stay. Returns their paths, joined, for people.
std::string refresh_admin_copies(const Host& host, const std::string& before);

}  // namespace kbundle
