// Free space against the bundle's files and budgets, per file system: several may share one.
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/runtimes/containerd_config.hpp"

namespace kbundle {
namespace {

// The nearest folder that exists: /var/lib/containerd may come later.
std::filesystem::path existing(std::filesystem::path path) {
  std::error_code error;
  while (!std::filesystem::exists(path, error) && path.has_relative_path())
    path = path.parent_path();
  return path;
}

// Where containerd keeps images: config.toml may say another place.
std::string runtime_root(const Context& context) {
  if (context.runtime->name() == "docker") return context.runtime->data_root();
  const Host& host = context.host;
  constexpr const char* config = "/etc/containerd/config.toml";
  std::string root;
  try {
    if (const auto text = host.read(config)) root = read_containerd_config(*text, config).root;
  } catch (const Error&) {
    // Unreadable TOML is the runtime check's finding.
  }
  return root.starts_with("/") ? root : "/var/lib/containerd";
}

struct FileSystem {
  std::string folder;
  std::uint64_t need = 0;
  std::vector<std::string> uses;
};

}  // namespace

void check_storage(const Context& context, Findings& findings) {
  const Budgets& budgets = context.inventory.budgets;
  std::map<dev_t, FileSystem> systems;
  const auto add = [&](const std::string& folder, std::uint64_t need, bool done) {
    const auto path = existing(context.host.at(folder));
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return;
    FileSystem& system = systems[status.st_dev];
    if (system.folder.empty()) system.folder = path.string();
    system.need += done ? 0 : need;
    if (std::find(system.uses.begin(), system.uses.end(), folder) == system.uses.end())
      system.uses.push_back(folder);
  };
  // What an earlier run has placed already is not needed again.
  for (const FileRecord& file : context.inventory.files) {
    const bool here = file.platform.architecture.empty() || context.platform.accepts(file.platform);
    if (here)
      add(std::filesystem::path(file.path).parent_path().string(), file.size,
          context.journal_ended("programs"));
  }
  add(runtime_root(context), budgets.disk_runtime, context.journal_ended("images"));
  add("/var/lib/kubelet", budgets.disk_state, context.journal_ended("ready"));
  for (const auto& [device, system] : systems) {
    struct statvfs space {};
    if (::statvfs(system.folder.c_str(), &space) != 0) continue;
    const std::uint64_t free = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
    const std::uint64_t size = static_cast<std::uint64_t>(space.f_blocks) * space.f_frsize;
    const std::string uses = join(system.uses, ", ");
    if (free < system.need) {
      const std::string message =
          uses + ": " + human_size(free) + " free, " + human_size(system.need) + " needed";
      const std::string fix = "free some space, or mount a larger file system there";
      // What an unfinished phase has placed already counts twice, as used and as needed.
      if (is_resumed(context))
        findings.warning("DiskSpace", message, fix);
      else
        findings.error("DiskSpace", message, fix);
    } else if (size > 0 && (free - system.need) * 100 / size < 15) {
      findings.warning(
          "DiskSpace",
          uses + ": less than 15% will be free, where the kubelet begins to evict pods",
          "free some space, or set evictionHard in a KubeletConfiguration (--config)");
    }
    if (space.f_files > 0 && space.f_favail < 10'000)
      findings.error("DiskInodes", uses + ": " + std::to_string(space.f_favail) + " inodes free",
                     "remove small files, or make a file system with more inodes");
  }
}

}  // namespace kbundle
