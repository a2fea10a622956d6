#include "installer/placed_files.hpp"

#include <algorithm>
#include <sstream>

#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr const char* kTrustFile = "/etc/fapolicyd/fapolicyd.trust";
constexpr const char* kTrustFolder = "/etc/fapolicyd/trust.d";

// Paths whose label is not what the policy says.
std::vector<std::string> mislabelled(const Host& host, const std::vector<PlacedFile>& files) {
  std::vector<std::string> argv = {"restorecon", "-n", "-v"};
  for (const PlacedFile& file : files)
    if (host.exists(file.path)) argv.push_back(file.path);
  if (argv.size() == 3) return {};
  const auto result = host.run({.argv = argv, .timeout = std::chrono::minutes(1)});
  std::vector<std::string> paths;
  // "Would relabel PATH from … to …"; EL7 says "restorecon reset PATH context …".
  for (const std::string& line : split(result.output + "\n" + result.errors, '\n')) {
    std::istringstream in(line);
    for (std::string word; in >> word;)
      if (std::any_of(files.begin(), files.end(),
                      [&](const PlacedFile& file) { return file.path == word; }) &&
          std::find(paths.begin(), paths.end(), word) == paths.end())
        paths.push_back(word);
  }
  return paths;
}

// Lines of "PATH SIZE SHA256".
std::vector<std::string> trust_lines(const Host& host) {
  std::vector<std::string> lines = split(host.read(kTrustFile).value_or(""), '\n');
  for (const std::string& name : host.list(kTrustFolder))
    for (std::string& line :
         split(host.read(std::string(kTrustFolder) + "/" + name).value_or(""), '\n'))
      lines.push_back(std::move(line));
  return lines;
}

}  // namespace

bool selinux_is_enabled(const Host& host) {
  return host.live() && host.exists("/sys/fs/selinux/enforce");
}

bool fapolicyd_is_active(const Host& host) {
  if (!host.live() || !host.exists("/etc/fapolicyd")) return false;
  return host
      .run({.argv = {"systemctl", "is-active", "--quiet", "fapolicyd"},
            .timeout = std::chrono::seconds(15)})
      .ok();
}

std::vector<std::vector<std::string>> trust_commands(const Host& host,
                                                     const std::vector<PlacedFile>& files) {
  std::vector<std::vector<std::string>> commands;
  if (selinux_is_enabled(host) && host.program("restorecon")) {
    if (const auto paths = mislabelled(host, files); !paths.empty()) {
      commands.push_back({"restorecon"});
      commands.back().insert(commands.back().end(), paths.begin(), paths.end());
    }
  }
  if (!host.program("fapolicyd-cli") || !fapolicyd_is_active(host)) return commands;
  const auto lines = trust_lines(host);
  bool changed = false;
  for (const PlacedFile& file : files) {
    if (!file.program) continue;
    const auto known = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.starts_with(file.path + " ");
    });
    const bool here = known != lines.end();
    if (here && known->ends_with(file.digest.hex())) continue;
    commands.push_back({"fapolicyd-cli", "--file", here ? "update" : "add", file.path});
    changed = true;
  }
  if (changed) commands.push_back({"fapolicyd-cli", "--update"});
  return commands;
}

void trust(const Host& host, const std::vector<PlacedFile>& files) {
  for (const auto& command : trust_commands(host, files)) {
    if (command[0] == "fapolicyd-cli") host.touching(Touch::file, kTrustFile);
    host.run_checked({.argv = command, .timeout = std::chrono::minutes(1)});
  }
}

}  // namespace kbundle
