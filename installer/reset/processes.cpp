#include "installer/reset/processes.hpp"

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/text.hpp"

namespace kbundle {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> arguments_of(const Host& host, const std::string& pid) {
  return split(host.read("/proc/" + pid + "/cmdline").value_or(""), '\0');
}

bool is_shim(const std::vector<std::string>& arguments, bool all) {
  const std::string program = fs::path(arguments.at(0)).filename().string();
  if (!program.starts_with("containerd-shim")) return false;
  if (all) return true;
  const auto flag = std::find(arguments.begin(), arguments.end(), "-namespace");
  return flag != arguments.end() && flag + 1 != arguments.end() && *(flag + 1) == "k8s.io";
}

// "/kubepods/burstable/pod…" or, with systemd, "/kubepods.slice/…".
bool in_pod_cgroup(const Host& host, const std::string& pid) {
  const std::string text = host.read("/proc/" + pid + "/cgroup").value_or("");
  return text.find(":/kubepods") != std::string::npos;
}

}  // namespace

std::vector<PodProcess> pod_processes(const Host& host, bool all_shims) {
  std::vector<PodProcess> shims, others;
  for (const std::string& name : host.list("/proc")) {
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr !=
        name.data() + name.size())
      continue;
    const auto arguments = arguments_of(host, name);
    const std::string shown = name + " " + fs::path(arguments.at(0)).filename().string();
    if (is_shim(arguments, all_shims)) {
      shims.push_back({pid, shown});
    } else if (in_pod_cgroup(host, name)) {
      others.push_back({pid, shown});
    }
  }
  shims.insert(shims.end(), others.begin(), others.end());
  return shims;
}

void kill_processes(const Host& host, const std::vector<PodProcess>& processes) {
  for (const PodProcess& process : processes) ::kill(process.pid, SIGKILL);
  for (int i = 0; i < 50; ++i) {
    const bool left = std::any_of(processes.begin(), processes.end(),
                                  [](const PodProcess& p) { return ::kill(p.pid, 0) == 0; });
    if (!left) return;
    host.pause(std::chrono::milliseconds(200), "processes to end");
  }
}

std::vector<std::string> pod_cgroups(const Host& host) {
  std::vector<std::string> result;
  const auto add = [&](const std::string& folder) {
    if (!host.exists(folder)) return;
    std::error_code error;
    for (fs::recursive_directory_iterator it(host.at(folder), error), end; !error && it != end;
         it.increment(error))
      if (it->is_directory(error))
        result.push_back(folder + "/" + it->path().lexically_relative(host.at(folder)).string());
    result.push_back(folder);
  };
  for (const char* name : {"kubepods", "kubepods.slice"}) {
    add("/sys/fs/cgroup/" + std::string(name));
    for (const std::string& hierarchy : host.list("/sys/fs/cgroup"))
      if (hierarchy != name) add("/sys/fs/cgroup/" + hierarchy + "/" + name);
  }
  // A folder's name is a prefix of the names in it.
  std::sort(result.begin(), result.end(), std::greater<>());
  return result;
}

}  // namespace kbundle
