// What the install put onto the host, and whether it is still so.
#include <algorithm>
#include <thread>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "installer/coherence.hpp"
#include "installer/phases/phases.hpp"
#include "installer/runtimes/cri_dockerd.hpp"
#include "installer/status/checks.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr const char* kKubeletConfig = "/var/lib/kubelet/config.yaml";
constexpr const char* kKubeletFlags = "/var/lib/kubelet/kubeadm-flags.env";
constexpr const char* kRouteUnit = "kbundle-service-route.service";

Json kubelet_configuration(const std::string& yaml) {
  try {
    const auto documents = yaml_documents(yaml, kKubeletConfig);
    if (documents.size() == 1 && documents.front().is_object()) return documents.front();
  } catch (const Error&) {  // status_of_kubeadm_files() says that it is cut
  }
  return Json::object();
}

std::vector<std::string> swap_areas(const Host& host) {
  std::vector<std::string> result;
  auto lines = split(host.read("/proc/swaps").value_or(""), '\n');
  for (std::size_t i = 1; i < lines.size(); ++i)
    if (!trim(lines[i]).empty()) result.push_back(split(lines[i], ' ').at(0));
  return result;
}

}  // namespace

bool kubelet_tolerates_swap(const std::string& config_yaml, const std::string& flags_env) {
  if (const auto flag = kubelet_flag(flags_env, "fail-swap-on"); !flag.empty())
    return flag == "false";
  const Json config = kubelet_configuration(config_yaml);
  return config.value("failSwapOn", Json(true)) == Json(false);
}

std::string kubelet_resolver(const std::string& config_yaml, const std::string& flags_env) {
  if (const auto flag = kubelet_flag(flags_env, "resolv-conf"); !flag.empty()) return flag;
  const Json value = kubelet_configuration(config_yaml).value("resolvConf", Json());
  return value.is_string() ? value.get<std::string>() : std::string("/etc/resolv.conf");
}

StatusLines status_of_install(const InstalledNode& node) {
  const Journal& journal = *node.context.journal;
  const Receipt& receipt = node.receipt;
  if (!journal.has_plan() || journal.complete())
    return {good("install", "Kubernetes " + receipt.kubernetes_version + ", " + receipt.role + " " +
                                receipt.node_name + ", installed " + receipt.installed)};
  if (journal.was_complete())
    return {bad("install", "a repair stopped in phase " + journal.last_phase(), kRepair)};
  return {bad("install",
              "the " + journal.plan().action + " with " + journal.plan().kubernetes_version +
                  " stopped in phase " + journal.last_phase(),
              install_command(journal.plan()))};
}

StatusLines status_of_programs(const InstalledNode& node) {
  const Host& host = node.context.host;
  const auto& files = node.receipt.files;
  std::vector<std::string> troubles(files.size());
  for_each_parallel(files.size(), std::thread::hardware_concurrency(), [&](std::size_t i) {
    const Receipt::File& file = files[i];
    const auto digest = host.digest(file.path);
    if (!digest) {
      troubles[i] = "is gone";
    } else if (*digest != file.digest) {
      troubles[i] = "is not as installed: sha256 " + digest->short_hex() + "…, installed was " +
                    file.digest.short_hex() + "…";
    } else if (file.mode != 0 && host.mode(file.path) != file.mode) {
      troubles[i] = "has other permissions than it was installed with";
    }
  });
  StatusLines lines;
  for (std::size_t i = 0; i < files.size(); ++i)
    if (!troubles[i].empty())
      lines.push_back(bad("programs", files[i].path + " " + troubles[i], kRepair));
  if (lines.empty())
    lines.push_back(good("programs", std::to_string(files.size()) + " files are as installed"));
  return lines;
}

StatusLines status_of_host(InstalledNode& node) {
  Context& context = node.context;
  StatusLines lines;
  for (const auto& phase : make_host_phases(context)) {
    if (phase->id() == "runtime" || phase->id() == "images") continue;
    const PhaseCheck check = phase->check();
    if (check.state == PhaseState::done) continue;
    for (const std::string& action : check.actions) {
      // Those have lines of their own.
      const bool program = std::any_of(
          node.receipt.files.begin(), node.receipt.files.end(), [&](const Receipt::File& file) {
            return action.find(" " + file.path + " ") != std::string::npos;
          });
      const bool unit = action == "run systemctl enable kubelet.service";
      if (!program && !unit)
        lines.push_back(bad("host", "not as installed: repair would " + action, kRepair));
    }
    if (check.state == PhaseState::conflict) lines.push_back(bad("host", check.reason, kRepair));
  }
  if (lines.empty())
    lines.push_back(good("host", "modules, sysctl, routes and units are as installed"));
  return lines;
}

StatusLines status_of_units(const InstalledNode& node) {
  const Host& host = node.context.host;
  std::vector<std::string> units = {"kubelet.service", node.receipt.runtime + ".service"};
  if (host.exists(std::string("/etc/systemd/system/") + kRouteUnit)) units.emplace_back(kRouteUnit);
  if (host.exists(CriDockerd::kUnitFile)) units.emplace_back(CriDockerd::kUnit);
  const auto ask = [&](const char* question) {
    std::vector<std::string> argv = {"systemctl", question};
    argv.insert(argv.end(), units.begin(), units.end());
    auto answers =
        split(trim(host.run({.argv = argv, .timeout = std::chrono::seconds(10)}).output), '\n');
    answers.resize(units.size());
    return answers;
  };
  const auto enabled = ask("is-enabled"), active = ask("is-active");
  StatusLines lines;
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (active[i] != "active")
      lines.push_back(
          bad("units",
              units[i] + " is " + (active[i].empty() ? "not known" : active[i]) + ", not active",
              "systemctl start " + units[i] + "; journalctl -e -u " + units[i]));
    if (enabled[i] != "enabled" && enabled[i] != "static")
      lines.push_back(bad("units",
                          units[i] + " is " + (enabled[i].empty() ? "not known" : enabled[i]) +
                              ": it will not start at boot",
                          "systemctl enable " + units[i]));
  }
  if (lines.empty()) lines.push_back(good("units", join(units, ", ") + ": enabled, active"));
  return lines;
}

StatusLines status_of_swap(const InstalledNode& node) {
  const Host& host = node.context.host;
  const auto areas = swap_areas(host);
  if (areas.empty()) return {good("swap", "off")};
  if (kubelet_tolerates_swap(host.read(kKubeletConfig).value_or(""),
                             host.read(kKubeletFlags).value_or("")))
    return {good("swap", "on, and the kubelet was told to go on with it")};
  return {bad("swap",
              "swap is on (" + join(areas, ", ") + "), and the kubelet does not start with it",
              "kbundle repair BUNDLE --swapoff")};
}

StatusLines status_of_resolver(const InstalledNode& node) {
  const Host& host = node.context.host;
  const std::string path = kubelet_resolver(host.read(kKubeletConfig).value_or(""),
                                            host.read(kKubeletFlags).value_or(""));
  const bool own = path == node_path::resolver;
  const std::string put_back = own && node.context.journal->has_plan()
                                   ? install_command(node.context.journal->plan())
                                   : "put " + path + " back";
  const auto text = host.read(path);
  if (!text)
    return {bad("resolver", path + " is gone: the kubelet starts no pod without it", put_back)};
  const auto servers = nameservers(*text);
  // A loopback address is the host's own, not the pod's: CoreDNS would ask itself.
  if (std::any_of(servers.begin(), servers.end(), is_loopback))
    return {bad("resolver", path + " names a loopback nameserver: CoreDNS asks itself and crashes",
                put_back)};
  if (node.receipt.resolver == path && !node.receipt.resolver_digest.empty() &&
      sha256(*text).str() != node.receipt.resolver_digest)
    return {doubtful("resolver",
                     path + " was changed since the install; pods follow when they start",
                     "kubectl -n kube-system rollout restart deployment coredns")};
  return {good("resolver", path + (servers.empty() ? ": no nameserver, as at the install"
                                                   : ": " + join(servers, ", ")))};
}

}  // namespace kbundle
