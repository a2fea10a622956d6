#include "installer/mounts.hpp"

#include <algorithm>
#include <sstream>

#include "core/text.hpp"

namespace kbundle {
namespace {

bool octal(char c) {
  return c >= '0' && c <= '7';
}

// Space, tab, newline and backslash stand as \ooo.
std::string unescaped(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
        octal(text[i + 3])) {
      result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                  (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

bool lies_below(std::string_view path, const std::string& folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

std::vector<std::string> mount_points(std::string_view mountinfo) {
  std::vector<std::string> result;
  for (const std::string& line : split(mountinfo, '\n')) {
    std::istringstream in(line);
    std::string id, parent, device, root, target;
    if (in >> id >> parent >> device >> root >> target) result.push_back(unescaped(target));
  }
  return result;
}

std::vector<std::string> mount_points(const Host& host) {
  return mount_points(host.read("/proc/self/mountinfo").value_or(""));
}

bool Mount::has(std::string_view option) const {
  return std::find(options.begin(), options.end(), option) != options.end();
}

std::vector<Mount> parse_mounts(std::string_view proc_mounts) {
  std::vector<Mount> mounts;
  for (const std::string& line : split(proc_mounts, '\n')) {
    std::istringstream in(line);
    Mount mount;
    std::string options;
    if (!(in >> mount.device >> mount.folder >> mount.type >> options)) continue;
    mount.folder = unescaped(mount.folder);
    mount.options = split(options, ',');
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Mount mount_of(const Host& host, std::string_view path) {
  Mount best;
  for (Mount& mount : parse_mounts(host.read("/proc/mounts").value_or("")))
    if (lies_below(path, mount.folder) && mount.folder.size() >= best.folder.size())
      best = std::move(mount);
  return best;
}

}  // namespace kbundle
