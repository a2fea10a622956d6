#include "installer/reset/trees.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "installer/cluster_names.hpp"

namespace kbundle {
namespace {

namespace fs = std::filesystem;

bool is_folder(const Host& host, const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(fs::symlink_status(host.at(path), ignored));
}

void collect(const Host& host, const HostSnapshot& snapshot, const std::string& path,
             const std::vector<std::string>& mounts, std::vector<std::string>& found,
             std::vector<std::string>& mounted) {
  if (!host.exists(path) || snapshot.kept_folders.contains(path)) return;
  const bool has_mount = std::any_of(mounts.begin(), mounts.end(), [&](const std::string& target) {
    return is_at_or_below(target, path);
  });
  const bool was_there = snapshot.had(path);
  if (!was_there && !has_mount) {
    found.push_back(path);
    return;
  }
  if (!was_there && std::find(mounts.begin(), mounts.end(), path) != mounts.end()) {
    mounted.push_back(path);
    return;
  }
  if (!is_folder(host, path)) return;
  for (const std::string& name : host.list(path))
    collect(host, snapshot, path + "/" + name, mounts, found, mounted);
}

}  // namespace

std::vector<std::string> new_paths(const Host& host, const HostSnapshot& snapshot,
                                   const std::string& folder,
                                   const std::vector<std::string>& mounts,
                                   std::vector<std::string>& mounted) {
  std::vector<std::string> found;
  collect(host, snapshot, folder, mounts, found, mounted);
  return found;
}

void remove_tree(const Host& host, const std::string& path) {
  std::error_code error;
  fs::remove_all(host.at(path), error);
  if (error) throw_errno("remove " + path, error.value(), ExitCode::phase);
}

void remove_if_empty(const Host& host, const std::string& folder) {
  if (::rmdir(host.at(folder).c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY &&
      errno != EEXIST)
    throw_errno("remove the folder " + folder, errno, ExitCode::phase);
}

}  // namespace kbundle
