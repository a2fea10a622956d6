// What a hardened host wants to be told of each file that is placed: SELinux its label, fapolicyd
// that the program may run. Hosts without them are left alone.
#pragma once

#include <string>
#include <vector>

#include "core/digest.hpp"
#include "installer/host.hpp"

namespace kbundle {

struct PlacedFile {
  std::string path;
  Digest digest;  ///< of a program; fapolicyd's trust is for these bytes
  bool program = true;
};

bool selinux_is_enabled(const Host& host);
bool fapolicyd_is_active(const Host& host);

/// The commands that are left to run for these files; empty: the host has what it wants. Asks the
/// host (a dry run of restorecon, fapolicyd's trust files).
std::vector<std::vector<std::string>> trust_commands(const Host& host,
                                                     const std::vector<PlacedFile>& files);
/// Runs them. Error{phase} when one fails.
void trust(const Host& host, const std::vector<PlacedFile>& files);

}  // namespace kbundle
