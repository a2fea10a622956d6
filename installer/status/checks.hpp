// The groups that `status` is made of. Each looks at one topic and gives one line when all is well,
// otherwise a line for each thing that is not. They run at the same time.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "installer/status/status.hpp"

namespace kbundle {

using StatusLines = std::vector<StatusLine>;

/// Where an install, an upgrade or a repair stopped.
StatusLines status_of_install(const InstalledNode& node);
StatusLines status_of_programs(const InstalledNode& node);  ///< files by digest and mode
StatusLines status_of_host(InstalledNode& node);            ///< what the host phases would do again
StatusLines status_of_units(const InstalledNode& node);
StatusLines status_of_swap(const InstalledNode& node);
StatusLines status_of_resolver(const InstalledNode& node);
StatusLines status_of_runtime(const InstalledNode& node);
StatusLines status_of_images(const InstalledNode& node);
StatusLines status_of_kubeadm_files(const InstalledNode& node);
StatusLines status_of_etcd(const InstalledNode& node);  ///< of masters; empty for workers
StatusLines status_of_certificates(const std::vector<NodeCertificate>& certificates,
                                   std::chrono::system_clock::time_point now);
StatusLines status_of_node(const InstalledNode& node);  ///< asks the cluster

/// Whether the kubelet goes on with swap, by config.yaml and kubeadm-flags.env.
bool kubelet_tolerates_swap(const std::string& config_yaml, const std::string& flags_env);
/// The resolver file the kubelet uses, by the same two files.
std::string kubelet_resolver(const std::string& config_yaml, const std::string& flags_env);

inline constexpr const char* kRepair = "kbundle repair BUNDLE";

inline StatusLine good(std::string check, std::string what) {
  return {std::move(check), StatusLine::State::ok, std::move(what), {}};
}
inline StatusLine bad(std::string check, std::string what, std::string next) {
  return {std::move(check), StatusLine::State::error, std::move(what), std::move(next)};
}
inline StatusLine doubtful(std::string check, std::string what, std::string next) {
  return {std::move(check), StatusLine::State::warning, std::move(what), std::move(next)};
}

}  // namespace kbundle
