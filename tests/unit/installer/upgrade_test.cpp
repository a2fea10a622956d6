// Which upgrades are allowed, by which command, and what an upgrade keeps of a node.
#include <algorithm>
#include <catch2/catch.hpp>
#include <utility>

#include "core/error.hpp"
#include "installer/admin_copies.hpp"
#include "installer/certs.hpp"
#include "installer/context.hpp"
#include "installer/etcd_tool.hpp"
#include "installer/node_backup.hpp"
#include "installer/static_pods.hpp"
#include "installer/timer.hpp"
#include "installer/upgrade_checks.hpp"
#include "installer/upgrade_plan.hpp"
#include "installer/upgrade_rules.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

Version v(const char* text) {
  return *Version::parse(text);
}

UpgradeState master(const char* from, const char* to) {
  UpgradeState state;
  state.master = true;
  state.from = v(from);
  state.to = v(to);
  state.cluster = v(from);
  state.api_server = v(from);
  state.kubelets = {{"one", v(from)}, {"two", v(from)}};
  return state;
}

UpgradeState worker(const char* from, const char* to, const char* api) {
  UpgradeState state;
  state.from = v(from);
  state.to = v(to);
  state.api_server = v(api);
  return state;
}

std::string text_of(const UpgradeState& state) {
  std::string text;
  for (const Finding& finding : skew_findings(state)) text += finding.message + "; " + finding.fix;
  return text;
}

}  // namespace

TEST_CASE("a patch may jump, a minor may not, and there is no way back") {
  CHECK(skew_findings(master("v1.18.2", "v1.18.10")).empty());
  CHECK(skew_findings(master("v1.18.2", "v1.19.16")).empty());
  CHECK(skew_findings(master("v1.18.2", "v1.18.2")).empty());
  const auto far = text_of(master("v1.18.2", "v1.20.0"));
  CHECK(far.find("v1.18.2") != std::string::npos);
  CHECK(far.find("v1.20.0") != std::string::npos);
  CHECK(far.find("upgrade to a v1.19 bundle first") != std::string::npos);
  CHECK(text_of(master("v1.18.10", "v1.18.2")).find("cannot be taken back") != std::string::npos);
}

TEST_CASE("the cluster's own version counts on a master") {
  auto state = master("v1.18.2", "v1.19.16");
  state.cluster = v("v1.20.1");  // another master went on already
  CHECK(text_of(state).find("the cluster is v1.20.1") != std::string::npos);
  state.cluster.reset();
  CHECK(has_errors(skew_findings(state)));
}

TEST_CASE("a minor step goes through the masters, then the workers") {
  auto second = master("v1.18.2", "v1.19.16");
  second.cluster = v("v1.19.16");  // the first master was here
  second.api_server = v("v1.19.16");
  second.kubelets["one"] = v("v1.19.16");
  CHECK(skew_findings(second).empty());
  CHECK(upgrade_command(second, false) == UpgradeCommand::node);
  CHECK(skew_findings(worker("v1.18.2", "v1.19.16", "v1.19.16")).empty());
  CHECK(text_of(worker("v1.18.2", "v1.19.16", "v1.18.2")).find("masters first") !=
        std::string::npos);
  // A node that slept through a step takes it first.
  CHECK(text_of(worker("v1.18.2", "v1.20.0", "v1.20.0")).find("v1.19 bundle first") !=
        std::string::npos);
  auto late = master("v1.18.2", "v1.20.0");
  late.cluster = v("v1.19.16");
  CHECK(text_of(late).find("this node is v1.18.2") != std::string::npos);
  // Over a major's end nothing is allowed.
  CHECK(has_errors(skew_findings(master("v1.36.3", "v2.0.0"))));
}

TEST_CASE("kubelets must not be left too far behind") {
  auto state = master("v1.19.1", "v1.20.0");
  state.kubelets["two"] = v("v1.18.20");
  CHECK(text_of(state).find("two v1.18.20") != std::string::npos);
  state.kubelet_skew = 3;
  CHECK(skew_findings(state).empty());
}

TEST_CASE("a worker follows its API server") {
  CHECK(skew_findings(worker("v1.18.2", "v1.18.10", "v1.18.10")).empty());
  CHECK(skew_findings(worker("v1.18.2", "v1.18.10", "v1.19.0")).empty());
  CHECK(text_of(worker("v1.18.2", "v1.18.10", "v1.18.2")).find("masters first") !=
        std::string::npos);
}

TEST_CASE("apply on the first master, node on all others") {
  auto state = master("v1.18.2", "v1.18.10");
  CHECK(upgrade_command(state, false) == UpgradeCommand::apply);
  state.cluster = v("v1.18.10");
  CHECK(upgrade_command(state, false) == UpgradeCommand::node);
  // kubeadm tells the cluster before it is through: a killed apply is not over.
  CHECK(upgrade_command(state, true) == UpgradeCommand::apply);
  CHECK(upgrade_command(worker("v1.18.2", "v1.18.10", "v1.18.10"), false) == UpgradeCommand::node);
}

TEST_CASE("kubeadm's command lines") {
  const auto line = [](UpgradeCommand command, const char* to,
                       const std::vector<std::string>& ignored) {
    return to_shell(upgrade_argv("/usr/bin/kubeadm", command, v(to), ignored));
  };
  CHECK(line(UpgradeCommand::apply, "v1.18.10", {"CreateJob"}) ==
        "/usr/bin/kubeadm upgrade apply v1.18.10 --yes --ignore-preflight-errors=CreateJob");
  CHECK(line(UpgradeCommand::node, "v1.18.10", {"CreateJob"}) == "/usr/bin/kubeadm upgrade node");
  CHECK(line(UpgradeCommand::node, "v1.34.4", {"A", "B"}) ==
        "/usr/bin/kubeadm upgrade node --ignore-preflight-errors=A,B");
  const auto renew = [](const char* version) {
    return to_shell(Catalog::builtin().facts(version).certs_renew);
  };
  CHECK(renew("v1.18.10") == "alpha certs renew all");
  CHECK(renew("v1.19.16") == "alpha certs renew all");
  CHECK(renew("v1.20.0") == "certs renew all");
  CHECK(renew("v1.36.3") == "certs renew all");
  CHECK_FALSE(Catalog::builtin().facts("v1.18.10").upgrade_needs_crictl);
  CHECK(Catalog::builtin().facts("v1.30.0").upgrade_needs_crictl);
  CHECK_FALSE(Catalog::builtin().facts("v1.31.0").upgrade_needs_crictl);
}

TEST_CASE("nodes that lack images are named; what a node does not run it needs not have") {
  const test::TempRoot root;
  test::FakeHost host(root);
  host.write("/proc/sys/kernel/hostname", "m1\n");
  host.write("/usr/bin/containerd", "", 0755);
  Inventory inventory;
  inventory.kubernetes_version = "v1.18.10";
  for (const char* name : {"k8s.gcr.io/kube-apiserver:v1.18.10", "k8s.gcr.io/kube-proxy:v1.18.10",
                           "k8s.gcr.io/etcd:3.4.3-0"}) {
    ImageRecord image;
    image.names = {name};
    inventory.images.push_back(image);
  }
  InstallOptions options;
  const auto progress = make_progress(ProgressMode::quiet);
  Context context(options, inventory, nullptr, Catalog::builtin().facts("v1.18.10"), host,
                  *progress);
  resolve_context(context);
  const auto node = [](const char* name, bool is_master, const std::vector<std::string>& images) {
    Json list = Json::array();
    for (const std::string& image : images) list.push_back({{"names", {image}}});
    Json labels = Json::object();
    if (is_master) labels["node-role.kubernetes.io/master"] = "";
    return Json{{"metadata", {{"name", name}, {"labels", labels}}}, {"status", {{"images", list}}}};
  };
  const Json nodes = Json::array(
      {node("m1", true, {}), node("m2", true, {"k8s.gcr.io/kube-proxy:v1.18.10"}),
       node("w1", false, {"k8s.gcr.io/kube-proxy:v1.18.10"}), node("w2", false, {"other:1"}),
       node("full", false, std::vector<std::string>(50, "other:1"))});
  const auto missing = missing_on_nodes(context, nodes);
  CHECK(missing.size() == 2);
  CHECK(missing.at("m2") ==
        std::set<std::string>{"k8s.gcr.io/kube-apiserver:v1.18.10", "k8s.gcr.io/etcd:3.4.3-0"});
  CHECK(missing.at("w2") == std::set<std::string>{"k8s.gcr.io/kube-proxy:v1.18.10"});
}

TEST_CASE("the kubelet gets the new pause image before the gate, and the gate stands before it") {
  const test::TempRoot root;
  test::FakeHost host(root);
  host.write("/proc/sys/kernel/hostname", "m1\n");
  host.write("/usr/bin/containerd", "", 0755);
  constexpr const char* kFlags = "/var/lib/kubelet/kubeadm-flags.env";
  host.write(kFlags,
             "KUBELET_KUBEADM_ARGS=\"--pod-infra-container-image=k8s.gcr.io/pause:3.1 --v=2\"\n",
             0600);
  Inventory inventory;
  inventory.kubernetes_version = "v1.18.10";
  const InstallOptions install;
  const UpgradeOptions options;
  const auto progress = make_progress(ProgressMode::quiet);
  Context context(install, inventory, nullptr, Catalog::builtin().facts("v1.18.10"), host,
                  *progress);
  resolve_context(context);
  UpgradePlan plan{context, options, {}, UpgradeCommand::apply};
  const auto phases = make_upgrade_phases(plan);
  const auto place = [&](const char* id) {
    return std::find_if(phases.begin(), phases.end(),
                        [&](const auto& phase) { return phase->id() == id; });
  };
  REQUIRE(place("kubelet") != phases.end());
  CHECK(place("runtime") < place("coherence"));
  CHECK(place("kubelet-flags") < place("coherence"));
  CHECK(place("coherence") < place("kubelet"));

  Phase& flags = **place("kubelet-flags");
  REQUIRE(flags.check().state == PhaseState::todo);
  flags.apply();
  CHECK(host.read(kFlags) ==
        "KUBELET_KUBEADM_ARGS=\"--pod-infra-container-image=k8s.gcr.io/pause:3.2 --v=2\"\n");
  CHECK(host.mode(kFlags) == 0600);
  CHECK(flags.check().state == PhaseState::done);
  host.write(kFlags, "KUBELET_KUBEADM_ARGS=\"--v=2\"\n");
  CHECK(flags.check().state == PhaseState::done);
}

TEST_CASE("pods are evicted when the controllers are seen at work, and not before") {
  const test::TempRoot root;
  test::FakeHost host(root);
  host.write("/proc/sys/kernel/hostname", "m1\n");
  host.write("/usr/bin/containerd", "", 0755);
  Inventory inventory;
  inventory.kubernetes_version = "v1.18.10";
  const InstallOptions install;
  UpgradeOptions options;
  options.drain = true;
  const auto progress = make_progress(ProgressMode::quiet);
  Context context(install, inventory, nullptr, Catalog::builtin().facts("v1.18.10"), host,
                  *progress);
  resolve_context(context);
  UpgradePlan plan{context, options, {}, UpgradeCommand::node};
  int looks = 0;
  bool evicted = false, evicted_early = false;
  host.answer_ = [&](const std::vector<std::string>& argv) -> CommandResult {
    const std::string command = to_shell(argv);
    Json answer = Json::object();
    if (command.find(" get node m1 ") != std::string::npos) {
      answer = {{"spec", {{"unschedulable", true}}}};
      if (++looks > 3) answer["spec"]["taints"] = {{{"key", "node.kubernetes.io/unschedulable"}}};
    } else if (command.find(" get pods ") != std::string::npos) {
      answer = {{"items", Json::array()}};
      if (!evicted)
        answer["items"].push_back(
            {{"metadata",
              {{"name", "web"},
               {"namespace", "site"},
               {"ownerReferences", {{{"kind", "ReplicaSet"}, {"controller", true}}}}}},
             {"status", {{"phase", "Running"}}}});
    } else if (command.find("/eviction") != std::string::npos) {
      evicted = true;
      evicted_early |= looks <= 3;
    }
    return {0, false, answer.dump(), ""};
  };
  // A drain comes after kube-proxy, of which the DaemonSet tells.
  const auto proxied = [&](const char* numbers) {
    const auto answers = std::exchange(host.answer_, [&](const std::vector<std::string>&) {
      return CommandResult{0, false, numbers, ""};
    });
    const auto state = make_kube_proxy_phase(plan)->check().state;
    host.answer_ = answers;
    return state == PhaseState::done;
  };
  CHECK(proxied("3 3 2 2 2"));
  CHECK_FALSE(proxied("3 2 2 2 2"));  // the controllers have not looked yet
  CHECK_FALSE(proxied("3 3 2 2 1"));
  CHECK_FALSE(proxied("3 3 2 1 "));
  CHECK(proxied(""));  // another proxy

  make_drain_phase(plan)->apply();
  CHECK(evicted);
  CHECK_FALSE(evicted_early);

  // Killed there, and run again without --drain: the node must not stay cordoned.
  options.drain = false;
  const auto uncordons = [&] {
    const auto phases = make_upgrade_phases(plan);
    return std::any_of(phases.begin(), phases.end(),
                       [](const auto& phase) { return phase->id() == "uncordon"; });
  };
  CHECK_FALSE(uncordons());
  auto journal = Journal::open(root.path() / "journal");
  journal.write_plan({});
  context.journal = &journal;
  CHECK_FALSE(uncordons());
  journal.begin("drain");
  CHECK(uncordons());
}

TEST_CASE("etcd's member out of its manifest") {
  const auto member = parse_etcd_manifest(
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: k8s.gcr.io/etcd:3.4.3-0\n"
      "    command: [etcd, --name=m1, --data-dir=/var/lib/etcd,\n"
      "      '--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.1:2379',\n"
      "      --initial-advertise-peer-urls=https://10.0.0.1:2380,\n"
      "      m1=https://10.0.0.1:2380, --initial-cluster=m1=https://10.0.0.1:2380]\n",
      "etcd.yaml");
  CHECK(member.image == "k8s.gcr.io/etcd:3.4.3-0");
  CHECK(member.client_url == "https://127.0.0.1:2379");
  CHECK(member.initial_cluster == "m1=https://10.0.0.1:2380");
  CHECK_THROWS_AS(parse_etcd_manifest("", "etcd.yaml"), Error);
  CHECK_THROWS_AS(parse_etcd_manifest("spec: {containers: [{image: x, command: [etcd]}]}", "x"),
                  Error);
}

TEST_CASE("a backup counts when it is whole, and gives back what is damaged") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  host.write("/etc/kubernetes/admin.conf", "admin", 0600);
  host.write("/etc/kubernetes/pki/apiserver.crt", "certificate");
  host.write("/etc/kubernetes/pki/apiserver.key", "key", 0600);
  host.write("/etc/kubernetes/tmp/kubeadm-backup/x", "not this");
  NodeBackup backup;
  backup.folder = std::string(node_path::backups) + "/v1.18.2-1";
  backup.kubernetes_version = "v1.18.2";
  backup.target = "sha256:aa";
  backup.created = "2026-01-01T00:00:00Z";
  backup.add_tree(host, "/etc/kubernetes", "/etc/kubernetes/tmp/");
  CHECK(backup.files.size() == 3);
  CHECK_FALSE(NodeBackup::newest_for(host, "sha256:aa"));
  CHECK_THROWS_AS(NodeBackup::read(host, backup.folder), Error);
  backup.finish(host);
  const auto kept = NodeBackup::newest_for(host, "sha256:aa");
  REQUIRE(kept);
  CHECK(kept->size() == std::string("admincertificatekey").size());
  CHECK_FALSE(NodeBackup::newest_for(host, "sha256:bb"));

  host.write("/etc/kubernetes/pki/apiserver.key", "another");
  FilesState state;
  state.broken = {"/etc/kubernetes/pki/apiserver.crt"};
  state.missing = {"/etc/kubernetes/scheduler.conf"};
  CHECK(kept->put_back(host, state) ==
        std::vector<std::string>{"/etc/kubernetes/pki/apiserver.crt",
                                 "/etc/kubernetes/pki/apiserver.key"});
  CHECK(host.read("/etc/kubernetes/pki/apiserver.key") == "key");
  CHECK(host.mode("/etc/kubernetes/pki/apiserver.key") == 0600);

  host.write(std::string(node_path::backups) + "/torn/etcd-snapshot.db", "half");
  NodeBackup::remove_unfinished(host);
  CHECK(host.list(node_path::backups) == std::vector<std::string>{"v1.18.2-1"});
}

TEST_CASE("only exact copies of admin.conf follow it") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  host.write("/etc/kubernetes/admin.conf", "new");
  host.write("/root/.kube/config", "old", 0600);
  host.write("/home/ann/.kube/config", "old", 0640);
  host.write("/home/bob/.kube/config", "bob's own");
  CHECK(refresh_admin_copies(host, "old") == "/root/.kube/config, /home/ann/.kube/config");
  CHECK(host.read("/root/.kube/config") == "new");
  CHECK(host.mode("/home/ann/.kube/config") == 0640);
  CHECK(host.read("/home/bob/.kube/config") == "bob's own");
}

TEST_CASE("static pods are told from a site's own processes") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  host.write("/proc/10/comm", "kube-controller\n");
  host.write("/proc/10/cgroup", "1:name=systemd:/kubepods/burstable/pod1/x\n");
  host.write("/proc/11/comm", "etcd\n");
  host.write("/proc/11/cgroup", "1:name=systemd:/system.slice/etcd.service\n");
  host.write("/proc/self/comm", "etcd\n");
  CHECK(static_pod_processes(host, "kube-controller-manager") == std::set<std::string>{"10"});
  CHECK(static_pod_processes(host, "etcd").empty());
  host.write("/etc/kubernetes/manifests/kube-apiserver.yaml", "");
  host.write("/etc/kubernetes/manifests/etcd.yaml", "");
  host.write("/etc/kubernetes/manifests/mine.yaml", "");
  CHECK(static_pods(host) == std::vector<std::string>{"etcd", "kube-apiserver"});
}

TEST_CASE("lead times of a renewal") {
  CHECK(parse_lead_time("30d") == std::chrono::hours(720));
  CHECK(parse_lead_time("12h") == std::chrono::hours(12));
  for (const char* wrong : {"", "30", "d", "-3d", "30dd", "1e3d"})
    CHECK_THROWS_AS(parse_lead_time(wrong), Error);
}
