#include "installer/upgrade_checks.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/etcd_tool.hpp"
#include "installer/node_backup.hpp"
#include "installer/runtimes/cri_dockerd.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kReportedImages = 50;  // the kubelet's --node-status-max-images
constexpr int kImageReports = 20;            // looks, of 5 s: a kubelet lists images every 30 s

std::optional<Json> query(const Context& context, std::vector<std::string> arguments) {
  const auto result = context.host.run(context.kubectl(std::move(arguments)));
  if (!result.ok()) return std::nullopt;
  return parse_json(result.output, "kubectl's answer", {.size = 64U << 20U, .depth = 64});
}

std::optional<Version> cluster_version(const Context& context) {
  const auto map =
      query(context, {"-n", "kube-system", "get", "configmap", "kubeadm-config", "-o", "json"});
  if (!map || !map->contains("data")) return std::nullopt;
  const std::string text = (*map)["data"].value("ClusterConfiguration", "");
  for (const Json& document : yaml_documents(text, "ConfigMap kubeadm-config"))
    if (document.contains("kubernetesVersion") && document["kubernetesVersion"].is_string())
      return Version::parse(document["kubernetesVersion"].get<std::string>());
  return std::nullopt;
}

bool is_master(const Json& node) {
  const Json labels = node["metadata"].value("labels", Json::object());
  return labels.contains("node-role.kubernetes.io/master") ||
         labels.contains("node-role.kubernetes.io/control-plane");
}

bool is_ready(const Json& node) {
  for (const Json& condition : node["status"].value("conditions", Json::array()))
    if (condition.value("type", "") == "Ready") return condition.value("status", "") == "True";
  return false;
}

std::vector<Json> nodes_of(const Context& context) {
  const auto list = query(context, {"get", "nodes", "-o", "json"});
  if (!list || !list->contains("items")) return {};
  return (*list)["items"].get<std::vector<Json>>();
}

// Bytes that are needed below a folder, for the file system it lies on.
struct Need {
  std::string folder;
  std::uint64_t bytes = 0;
};

void check_space(const Context& context, const std::vector<Need>& needs, Findings& findings) {
  std::map<dev_t, Need> systems;
  for (const Need& need : needs) {
    auto path = context.host.at(need.folder);
    std::error_code error;
    while (!std::filesystem::exists(path, error) && path.has_relative_path())
      path = path.parent_path();
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) continue;
    Need& system = systems[status.st_dev];
    system.folder += (system.folder.empty() ? "" : ", ") + need.folder;
    system.bytes += need.bytes;
    struct statvfs space {};
    if (::statvfs(path.c_str(), &space) != 0) continue;
    const std::uint64_t free = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
    if (free < system.bytes)
      findings.error("DiskSpace",
                     system.folder + ": " + human_size(free) + " free, " +
                         human_size(system.bytes) + " needed",
                     "free some space there");
  }
}

}  // namespace

UpgradeState look_at_versions(const Context& context, const Receipt& before) {
  UpgradeState state;
  state.master = context.master();
  state.from = Version::parse(before.kubernetes_version).value_or(Version{});
  state.to = context.facts.version;
  state.kubelet_skew = context.facts.kubelet_skew;
  if (const auto answer = query(context, {"get", "--raw", "/version"}))
    state.api_server = Version::parse(answer->value("gitVersion", ""));
  if (!context.master()) return state;
  state.cluster = cluster_version(context);
  for (const Json& node : nodes_of(context)) {
    const auto info = node["status"].value("nodeInfo", Json::object());
    if (const auto version = Version::parse(info.value("kubeletVersion", "")))
      state.kubelets[node["metadata"].value("name", "")] = *version;
  }
  return state;
}

std::vector<Finding> upgrade_findings(const Context& context, const Receipt& before,
                                      const UpgradeState& state) {
  Findings findings;
  for (const Finding& finding : skew_findings(state)) findings.list().push_back(finding);
  if (before.runtime == "docker" && has_dockershim(state.from) && !has_dockershim(state.to))
    findings.error("Runtime",
                   "this node runs on Docker, which Kubernetes speaks to up to v1.23 (dockershim)",
                   "move the node to containerd first");
  const bool crictl = context.host.program("crictl").has_value() ||
                      context.inventory.find_file("crictl", context.platform) != nullptr;
  if (context.master() && context.facts.upgrade_needs_crictl && !crictl)
    findings.error("FileExisting-crictl",
                   "kubeadm " + state.to.str() +
                       " looks for its images with crictl, which is neither on this host nor in "
                       "the bundle",
                   "build the bundle with crictl");
  std::uint64_t programs = 0;
  for (const FileRecord& file : context.inventory.files)
    if (file.platform.architecture.empty() || context.platform.accepts(file.platform))
      programs += file.size;
  std::vector<Need> needs = {{"/usr/bin", programs},
                             {"/var/lib/containerd", context.inventory.budgets.disk_runtime}};
  if (context.runtime->answers() && context.master()) {
    // Snapshot and configuration are ours; kubeadm copies the data folder once more.
    const std::uint64_t data = size_below(context.host, "/var/lib/etcd");
    needs.push_back({node_path::backups,
                     size_below(context.host, "/var/lib/etcd/member/snap/db") + (4U << 20U)});
    needs.push_back({"/etc/kubernetes", data});
  }
  check_space(context, needs, findings);
  if (!context.master()) return findings.list();
  for (const Json& node : nodes_of(context)) {
    if (!is_master(node) || is_ready(node)) continue;
    findings.error("ControlPlaneNodesReady",
                   "master " + node["metadata"].value("name", "") + " is not Ready",
                   "get it Ready first, or remove it from the cluster");
  }
  if (context.external_etcd)
    findings.warning("EtcdBackup",
                     "etcd is the site's own: the backup before the upgrade does not hold it",
                     "save it where it runs (etcdctl snapshot save), unless that was done");
  return findings.list();
}

std::map<std::string, std::set<std::string>> missing_on_nodes(const Context& context,
                                                              const Json& nodes) {
  std::map<std::string, std::set<std::string>> result;
  for (const Json& node : nodes) {
    const std::string name = node["metadata"].value("name", "");
    if (name == context.node_name) continue;
    std::set<std::string> present;
    const Json images = node["status"].value("images", Json::array());
    for (const Json& image : images)
      for (const Json& image_name : image.value("names", Json::array()))
        present.insert(image_name.get<std::string>());
    if (images.size() >= kReportedImages) continue;
    const auto role = is_master(node) ? InstallOptions::Role::master : InstallOptions::Role::worker;
    for (const ImageRecord& image : context.inventory.images) {
      if (image.names.empty() || !context.runs_image(image, role)) continue;
      const std::string& upstream = image.names.front();
      const std::string wanted = context.renamed(upstream);
      if (!present.contains(wanted) && !present.contains(upstream)) result[name].insert(wanted);
    }
  }
  return result;
}

void check_images_on_nodes(const Context& context, bool go_on) {
  std::map<std::string, std::set<std::string>> missing;
  for (int look = 0; look < kImageReports; ++look) {
    missing = missing_on_nodes(context, nodes_of(context));
    if (missing.empty()) return;
    if (go_on) break;
    if (look == 0)
      context.progress.line("waiting for the other nodes to report the new images (" +
                            missing.begin()->first + " lacks " + *missing.begin()->second.begin() +
                            ")");
    context.host.pause(std::chrono::seconds(5), "the other nodes' images");
  }
  std::string text = "these nodes do not have the new images, and nowhere to pull them from:";
  for (const auto& [node, images] : missing)
    text +=
        "\n  " + node + ": " + join(std::vector<std::string>(images.begin(), images.end()), ", ");
  if (go_on) {
    context.progress.warn(text);
    return;
  }
  throw Error(ExitCode::preflight, text,
              "run `kbundle upgrade --images-only` with this bundle on each of them first "
              "(kubeadm renews kube-proxy and CoreDNS everywhere at once), or go on with "
              "--ignore-missing-images");
}

}  // namespace kbundle
