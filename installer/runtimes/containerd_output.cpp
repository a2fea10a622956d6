#include <algorithm>
#include <sstream>

#include "core/text.hpp"
#include "core/version.hpp"
#include "installer/runtimes/containerd.hpp"

namespace kbundle {
namespace {

std::vector<std::string> fields(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> result;
  for (std::string word; in >> word;) result.push_back(word);
  return result;
}

}  // namespace

std::string plugin_state(const std::string& ctr_plugins, const std::string& type,
                         const std::string& id) {
  for (const std::string& line : split(ctr_plugins, '\n')) {
    const auto columns = fields(line);
    if (columns.size() >= 4 && columns[0] == type && columns[1] == id) return columns.back();
  }
  return {};
}

std::string containerd_version(const std::string& output) {
  // "containerd containerd.io v1.6.20 abc…", "containerd
  // github.com/containerd/containerd 1.6.20~ds1 …"
  for (std::string word : fields(output)) {
    if (word.starts_with("v")) word.erase(0, 1);
    const auto end = word.find_first_not_of("0123456789.");
    const std::string number = word.substr(0, end);
    if (std::count(number.begin(), number.end(), '.') >= 2 && Version::parse(number)) return number;
  }
  return {};
}

}  // namespace kbundle
