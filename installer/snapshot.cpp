#include "installer/snapshot.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/cluster_names.hpp"
#include "installer/context.hpp"
#include "installer/firewall.hpp"
#include "installer/mounts.hpp"
#include "installer/sysctl.hpp"

namespace kbundle {
namespace {

// A folder with more entries than that is not listed: all of it is the site's.
constexpr std::size_t kEntryLimit = 5000;

namespace fs = std::filesystem;

void add_folder(const Host& host, const std::string& folder, HostSnapshot& snapshot) {
  if (!host.exists(folder)) return;
  snapshot.paths.insert(folder);
  std::error_code error;
  const fs::path root = host.at(folder);
  std::set<std::string> found;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end;
       it.increment(error)) {
    found.insert(folder + "/" + it->path().lexically_relative(root).string());
    if (found.size() > kEntryLimit) {
      snapshot.kept_folders.insert(folder);
      return;
    }
  }
  if (error) {
    snapshot.kept_folders.insert(folder);
  } else {
    snapshot.paths.merge(found);
  }
}

std::set<std::string> words(const std::string& output) {
  std::set<std::string> result;
  for (const std::string& line : split(output, '\n')) {
    std::istringstream in(line);
    if (std::string word; in >> word) result.insert(word);
  }
  return result;
}

std::set<std::string> as_set(const std::vector<std::string>& list) {
  return {list.begin(), list.end()};
}

std::set<std::string> strings(const Json& json, const char* key, const std::string& what) {
  std::set<std::string> result;
  for (const Json& item : json_array(json, key, what)) {
    if (!item.is_string())
      throw Error(ExitCode::verification, what + ": " + key + " holds more than names");
    result.insert(item.get<std::string>());
  }
  return result;
}

std::map<std::string, std::string> texts(const Json& json, const char* key,
                                         const std::string& what) {
  std::map<std::string, std::string> result;
  const Json object = json.value(key, Json::object());
  for (const auto& [name, value] : object.items()) {
    if (!value.is_string())
      throw Error(ExitCode::verification, what + ": " + key + " holds more than text");
    result[name] = value.get<std::string>();
  }
  return result;
}

}  // namespace

bool HostSnapshot::had(std::string_view path) const {
  return paths.contains(std::string(path)) ||
         std::any_of(kept_folders.begin(), kept_folders.end(),
                     [&](const std::string& folder) { return is_at_or_below(path, folder); });
}

Json HostSnapshot::to_json() const {
  return {{"version", 1},
          {"taken", taken},
          {"paths", paths},
          {"kept_folders", kept_folders},
          {"firewall", firewall},
          {"nft_tables", nft_tables},
          {"ipsets", ipsets},
          {"interfaces", interfaces},
          {"netns", netns},
          {"mounts", mounts},
          {"sysctls", sysctls},
          {"enabled_units", enabled_units},
          {"runtime_answered", runtime_answered},
          {"images", images},
          {"containers", containers},
          {"leases", leases},
          {"runtime", runtime},
          {"runtime_socket", runtime_socket},
          {"virtual_servers", virtual_servers}};
}

HostSnapshot HostSnapshot::parse(std::string_view text, const std::string& what) {
  const Json json = parse_json(text, what, {.size = 16U << 20U});
  if (json_unsigned(json, "version", what) != 1)
    throw Error(ExitCode::verification, what + " was written by a newer kbundle",
                "use the kbundle that lies beside the bundle this node was installed from");
  HostSnapshot result;
  result.taken = json_string(json, "taken", what);
  result.paths = strings(json, "paths", what);
  result.kept_folders = strings(json, "kept_folders", what);
  result.firewall = texts(json, "firewall", what);
  result.nft_tables = strings(json, "nft_tables", what);
  result.ipsets = strings(json, "ipsets", what);
  result.interfaces = strings(json, "interfaces", what);
  result.netns = strings(json, "netns", what);
  result.mounts = strings(json, "mounts", what);
  result.sysctls = texts(json, "sysctls", what);
  result.enabled_units = strings(json, "enabled_units", what);
  result.runtime_answered = json.value("runtime_answered", false);
  result.images = strings(json, "images", what);
  result.containers = strings(json, "containers", what);
  result.leases = strings(json, "leases", what);
  result.runtime = json_string(json, "runtime", what);
  result.runtime_socket = json_string(json, "runtime_socket", what);
  result.virtual_servers = json.value("virtual_servers", false);
  return result;
}

std::optional<HostSnapshot> HostSnapshot::read(const Host& host) {
  const auto text = host.read(node_path::snapshot);
  if (!text) return std::nullopt;
  return parse(*text, node_path::snapshot);
}

HostSnapshot HostSnapshot::take(const Host& host, const PodRuntime& runtime) {
  HostSnapshot result;
  result.taken = rfc3339(std::chrono::system_clock::now());
  for (const std::string& folder : cluster_names::folders()) add_folder(host, folder, result);
  for (const auto* list : {&cluster_names::files(), &cluster_names::runtime_folders(),
                           &cluster_names::shared_folders()})
    for (const std::string& path : *list)
      if (host.exists(path)) result.paths.insert(path);
  // For people who look at what was there; only kbundle's own names are ever removed from these.
  for (const char* folder : {"/etc/cni/net.d", "/opt/cni/bin"})
    for (const std::string& name : host.list(folder))
      result.paths.insert(std::string(folder) + "/" + name);
  for (const std::string& key : cluster_names::sysctls())
    if (const auto value = host.read(sysctl_file(key))) result.sysctls[key] = trim(*value);
  result.interfaces = as_set(host.list("/sys/class/net"));
  result.netns = as_set(host.list("/run/netns"));
  result.mounts = as_set(mount_points(host));
  if (!host.live()) return result;

  for (const std::string& program : firewall_programs(host))
    result.firewall[program] = firewall_rules(host, program);
  result.nft_tables = list_nft_tables(host);
  result.ipsets = list_ipsets(host);
  result.virtual_servers = !list_virtual_servers(host).empty();
  result.enabled_units =
      words(host.run({.argv = {"systemctl", "list-unit-files", "--state=enabled", "--no-legend"}})
                .output);
  result.runtime = runtime.name();
  result.runtime_socket = runtime.socket();
  result.runtime_answered = runtime.answers();
  if (result.runtime_answered) {
    result.images = as_set(runtime.image_names());
    result.containers = as_set(runtime.containers());
    result.leases = as_set(runtime.leases());
  }
  return result;
}

void keep_snapshot(const Host& host, const PodRuntime& runtime) {
  if (host.exists(node_path::snapshot)) return;
  host.write(node_path::snapshot, HostSnapshot::take(host, runtime).to_json().dump(1) + "\n", 0600);
}

}  // namespace kbundle
