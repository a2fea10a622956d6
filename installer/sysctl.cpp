#include "installer/sysctl.hpp"

#include <fcntl.h>

#include <algorithm>

#include "core/file.hpp"

namespace kbundle {

std::string sysctl_file(const std::string& key) {
  std::string path = key;
  std::replace(path.begin(), path.end(), '.', '/');
  return "/proc/sys/" + path;
}

void set_sysctl(const Host& host, const std::string& key, const std::string& value) {
  const UniqueFd fd = open_file(host.at(sysctl_file(key)), O_WRONLY);
  FdSink(fd.get(), sysctl_file(key)).write(value + "\n");
}

}  // namespace kbundle
