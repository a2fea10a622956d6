// The runtime and its images, kubeadm's files, and what the cluster says of the node.
#include <algorithm>

#include "core/text.hpp"
#include "installer/coherence.hpp"
#include "installer/etcd_members.hpp"
#include "installer/etcd_tool.hpp"
#include "installer/external_etcd.hpp"
#include "installer/image_loading.hpp"
#include "installer/kubeadm_files.hpp"
#include "installer/node_state.hpp"
#include "installer/status/checks.hpp"

namespace kbundle {
namespace {

constexpr long kWarnDays = 30;

std::string date_of(std::chrono::system_clock::time_point time) {
  return rfc3339(time).substr(0, 10);
}

void add(StatusLines& lines, const char* check, const FilesState& state, const std::string& next) {
  for (const std::string& file : state.missing)
    lines.push_back(bad(check, file + " is gone", next));
  for (const std::string& file : state.broken)
    lines.push_back(bad(check, file + " is damaged, or does not belong to its other half", next));
}

std::string restart(const Context& context) {
  const std::string unit = context.runtime->name() + ".service";
  return "systemctl restart " + unit + "; journalctl -e -u " + unit;
}

}  // namespace

StatusLines status_of_runtime(const InstalledNode& node) {
  const Runtime& runtime = *node.context.runtime;
  if (!runtime.answers())
    return {bad("runtime", runtime.name() + " does not answer at " + runtime.cri_socket(),
                restart(node.context))};
  StatusLines lines;
  for (const Agreement& agreement : agreements(node.context))
    if (const auto difference = agreement.difference(); !difference.empty())
      lines.push_back(bad("runtime", difference, kRepair));
  const PhaseCheck check = node.context.runtime->check();
  if (check.state == PhaseState::done && lines.empty()) return {good("runtime", check.reason)};
  if (check.state == PhaseState::conflict) lines.push_back(bad("runtime", check.reason, kRepair));
  for (const std::string& action : check.actions)
    lines.push_back(bad("runtime", "not as installed: repair would " + action, kRepair));
  return lines;
}

StatusLines status_of_images(const InstalledNode& node) {
  if (!node.context.runtime->answers())
    return {bad("images", "not looked at: the runtime does not answer", restart(node.context))};
  const ImagesState state = look_at_images(node.context, true);
  StatusLines lines;
  for (const auto& [image, why] : state.missing)
    lines.push_back(bad("images", image.names.front() + ": " + why, kRepair));
  // The kubelet may collect it when the disk gets full, and nobody can pull it here.
  for (const std::string& name : state.unpinned)
    lines.push_back(
        doubtful("images", name + " is not kept from the kubelet's garbage collection", kRepair));
  if (lines.empty())
    lines.push_back(good("images", std::to_string(state.images) +
                                       " images: digests equal, every blob whole, pinned"));
  return lines;
}

StatusLines status_of_kubeadm_files(const InstalledNode& node) {
  const Context& context = node.context;
  const Host& host = context.host;
  const std::string again =
      context.journal->has_plan() ? install_command(context.journal->plan()) : "kbundle install";
  StatusLines lines;
  add(lines, "kubelet", node.receipt.master() ? check_kubelet_files(host) : check_worker(host, ""),
      again);
  if (lines.empty())
    lines.push_back(good("kubelet", "its configuration and credentials are whole"));
  if (!node.receipt.master()) return lines;
  const auto before = lines.size();
  add(lines, "control-plane", check_certificates(host, context.external_etcd), again);
  add(lines, "control-plane",
      check_kubeconfigs(host, host.exists("/etc/kubernetes/super-admin.conf")), again);
  add(lines, "control-plane", check_manifests(host, context.static_pods()), again);
  if (lines.size() == before)
    lines.push_back(good("control-plane",
                         "certificates match their keys, kubeconfigs and static pods are whole"));
  return lines;
}

StatusLines status_of_etcd(const InstalledNode& node) {
  if (!node.receipt.master()) return {};
  const Host& host = node.context.host;
  StatusLines lines;
  if (const auto external = external_etcd_of_node(host, node.receipt)) {
    for (const std::string& trouble : endpoints_in_trouble(host, *external))
      lines.push_back(bad("etcd", "the site's own is not healthy: " + trouble,
                          "see to that etcd where it runs"));
    if (external->endpoints.empty())
      lines.push_back(bad("etcd", "the API server's pod does not say where the site's etcd is",
                          "kbundle support-bundle"));
    if (lines.empty())
      lines.push_back(
          good("etcd", "the site's own is healthy: " + join(external->endpoints, ", ")));
    return lines;
  }
  const std::string next = "journalctl -e -u kubelet; kbundle support-bundle";
  const auto manifest = host.read(kEtcdManifest);
  if (!manifest) return {};  // status_of_kubeadm_files() says so
  const EtcdClient etcd(host, EtcdCredentials::of_kubeadm());
  const std::string own = parse_etcd_manifest(*manifest, kEtcdManifest).client_url;
  const std::string own_trouble = etcd_trouble(etcd, own);
  const auto members = etcd_peers(etcd, own);
  if (!own_trouble.empty()) lines.push_back(bad("etcd", "on this node: " + own_trouble, next));
  if (!members) return lines;
  for (const EtcdPeer& member : *members) {
    const std::string address = etcd_address(member.peer_url);
    if (address == node.receipt.node_ip) continue;
    const auto trouble = etcd_trouble(etcd, etcd_client_url(address));
    if (!trouble.empty())
      lines.push_back(doubtful("etcd",
                               "the member " + member.name + " at " + address + ": " + trouble,
                               "kbundle status there"));
  }
  if (lines.empty())
    lines.push_back(good("etcd", members->size() == 1
                                     ? std::string("healthy, the only member")
                                     : std::to_string(members->size()) + " members, all healthy"));
  return lines;
}

StatusLines status_of_certificates(const std::vector<NodeCertificate>& certificates,
                                   std::chrono::system_clock::time_point now) {
  StatusLines lines;
  std::vector<NodeCertificate> counted;
  for (const NodeCertificate& certificate : certificates) {
    using Kind = NodeCertificate::Kind;
    // Nobody verifies the kubelet's own; a file without a certificate has its line elsewhere.
    if (certificate.kind == Kind::serving || !certificate.facts) continue;
    counted.push_back(certificate);
    const auto& facts = *certificate.facts;
    const long days = days_left(facts.not_after, now);
    const std::string next =
        certificate.kind == Kind::kubelet ? "systemctl restart kubelet; journalctl -e -u kubelet"
        : certificate.kind == Kind::site
            ? "it is the site's own: put a new one in its place, on each master"
        : certificate.kind == Kind::authority
            ? "a CA is replaced by hand: see kubernetes.io, \"Manual Rotation "
              "of CA Certificates\""
            : "kbundle certs --renew";
    if (now < facts.not_before) {
      lines.push_back(bad("certificates",
                          certificate.name + " is not valid before " + rfc3339(facts.not_before) +
                              "; the clock says " + rfc3339(now),
                          "set the clock (`date -u -s …` or chrony)"));
    } else if (days < 0) {
      lines.push_back(
          bad("certificates", certificate.name + " ended on " + date_of(facts.not_after), next));
    } else if (days < kWarnDays) {
      lines.push_back(doubtful("certificates",
                               certificate.name + " ends on " + date_of(facts.not_after) + ", in " +
                                   std::to_string(days) + " days",
                               next));
    }
  }
  const NodeCertificate* first = soonest(counted);
  if (lines.empty() && first != nullptr)
    lines.push_back(good("certificates",
                         "the first to end is " + first->name + ", on " +
                             date_of(first->facts->not_after) + " (in " +
                             std::to_string(days_left(first->facts->not_after, now)) + " days)"));
  return lines;
}

StatusLines status_of_node(const InstalledNode& node) {
  const Context& context = node.context;
  if (!context.has_program("kubectl"))
    return {bad("node", "not asked for: kubectl is not the bundle's", kRepair)};
  const std::string trouble = node_trouble(context);
  const bool answered = trouble.empty() || trouble.starts_with("node not Ready");
  StatusLines lines;
  if (!trouble.empty())
    lines.push_back(bad("node", trouble, "journalctl -e -u kubelet; kbundle support-bundle"));
  if (!answered) return lines;
  if (trouble.empty()) lines.push_back(good("node", context.node_name + " is Ready"));
  const auto pods = pods_in_trouble(context);
  for (const std::string& pod : pods)
    lines.push_back(
        bad("pods", pod, "kubectl -n kube-system describe pod " + split(pod, ' ').at(0)));
  if (pods.empty()) lines.push_back(good("pods", "the system's pods of this node run"));
  return lines;
}

}  // namespace kbundle
