#include "installer/static_pods.hpp"

#include <signal.h>

#include <algorithm>

#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr const char* kNames[] = {"etcd", "kube-apiserver", "kube-controller-manager",
                                  "kube-scheduler"};
constexpr std::size_t kCommLength = 15;  // proc(5): the kernel cuts a process's name

}  // namespace

std::vector<std::string> static_pods(const Host& host) {
  std::vector<std::string> result;
  for (const char* name : kNames)
    if (host.exists(std::string(kManifestFolder) + "/" + name + ".yaml")) result.emplace_back(name);
  return result;
}

std::set<std::string> static_pod_processes(const Host& host, const std::string& name) {
  std::set<std::string> result;
  for (const std::string& pid : host.list("/proc")) {
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string folder = "/proc/" + pid;
    if (trim(host.read(folder + "/comm").value_or("")) != name.substr(0, kCommLength)) continue;
    // A site may run an etcd of its own.
    if (host.read(folder + "/cgroup").value_or("").find("kubepods") != std::string::npos)
      result.insert(pid);
  }
  return result;
}

void restart_static_pod(const Host& host, const std::string& name) {
  const auto before = static_pod_processes(host, name);
  for (const std::string& pid : before) ::kill(static_cast<pid_t>(std::stol(pid)), SIGTERM);
  for (;;) {
    const auto now = static_pod_processes(host, name);
    const bool old_left = std::any_of(now.begin(), now.end(),
                                      [&](const std::string& pid) { return before.contains(pid); });
    if (!now.empty() && !old_left) return;
    host.pause(std::chrono::milliseconds(500), "the kubelet to start " + name + " again");
  }
}

void wait_until_stopped(const Host& host, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    while (!static_pod_processes(host, name).empty())
      host.pause(std::chrono::milliseconds(500), "the kubelet to stop " + name);
}

}  // namespace kbundle
