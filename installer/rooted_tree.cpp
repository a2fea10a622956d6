#include "installer/rooted_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <memory>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr int kMostLinks = 255;
constexpr std::size_t kDeepest = 2000;
constexpr int kFolder = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

UniqueFd open_below(int folder, const std::string& name) {
  return UniqueFd(::openat(folder, name.c_str(), O_PATH | kFolder));
}

}  // namespace

PathNames path_names(std::string_view path) {
  PathNames names;
  for (auto& name : split(path, '/'))
    if (!name.empty() && name != ".") names.push_back(std::move(name));
  return names;
}

RootedTree::RootedTree(const std::filesystem::path& folder)
    : root_(open_file(folder, O_PATH | O_DIRECTORY)) {}

PathNames RootedTree::resolve(const PathNames& path) const {
  PathNames resolved;
  std::vector<UniqueFd> folders;  // of resolved's names, as far as they exist
  std::deque<std::string> left(path.begin(), path.end());
  int links = 0;
  while (!left.empty()) {
    const std::string name = std::move(left.front());
    left.pop_front();
    if (name == "..") {
      if (resolved.empty()) continue;
      resolved.pop_back();
      if (folders.size() > resolved.size()) folders.pop_back();
      continue;
    }
    if (folders.size() == resolved.size()) {
      const int at = folders.empty() ? root() : folders.back().get();
      std::array<char, PATH_MAX> target{};
      const auto size = ::readlinkat(at, name.c_str(), target.data(), target.size());
      if (size >= 0) {
        if (++links > kMostLinks)
          throw Error(ExitCode::verification,
                      "a layer's symbolic links go round in circles at " + printable(name));
        const std::string_view text(target.data(), static_cast<std::size_t>(size));
        const auto names = path_names(text);
        left.insert(left.begin(), names.begin(), names.end());
        if (text.starts_with('/')) {
          resolved.clear();
          folders.clear();
        }
        continue;
      }
      if (auto folder = open_below(at, name)) folders.push_back(std::move(folder));
    }
    resolved.push_back(name);
    if (resolved.size() > kDeepest)
      throw Error(ExitCode::verification, "a layer's folders are more than 2000 deep");
  }
  return resolved;
}

UniqueFd RootedTree::open_folder(const PathNames& resolved) const {
  UniqueFd at(::openat(root(), ".", O_PATH | kFolder));
  for (const auto& name : resolved) {
    at = open_below(at.get(), name);
    if (!at) break;
  }
  return at;
}

std::string through_descriptor(int folder, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(folder) + "/" + name;
}

void remove_all_at(int folder, const std::string& name) {
  if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) throw_errno("remove " + printable(name), errno);
  const int fd = ::openat(folder, name.c_str(), O_RDONLY | kFolder);
  if (fd < 0) throw_errno("open the folder " + printable(name), errno);
  {
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd), ::closedir);
    if (!entries) {
      ::close(fd);
      throw_errno("read the folder " + printable(name), errno);
    }
    while (const dirent* entry = ::readdir(entries.get())) {
      const std::string child = entry->d_name;
      if (child != "." && child != "..") remove_all_at(fd, child);
    }
  }
  if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    throw_errno("remove the folder " + printable(name), errno);
}

}  // namespace kbundle
