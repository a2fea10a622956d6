// The whole plan against a node in a temporary folder, without a bundle's bytes.
#include <catch2/catch.hpp>
#include <sstream>

#include "core/error.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/external_etcd.hpp"
#include "installer/phases/phases.hpp"
#include "installer/runner.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

Digest digest(char c) {
  return Digest::parse("sha256:" + std::string(64, c));
}

struct Node {
  explicit Node(const InstallOptions& options_) : options(options_), host(root) {
    inventory.kubernetes_version = "v1.18.2";
    inventory.line = "kubernetes-v1.18-linux-amd64";
    inventory.created = "2024-01-01T00:00:00Z";
    inventory.cni = "none";
    inventory.platforms = {Platform::parse("linux/amd64")};
    for (const char* name : {"kubeadm", "kubelet", "kubectl"})
      inventory.files.push_back({name, std::string("/usr/bin/") + name, 0755,
                                 Platform::parse("linux/amd64"), digest('a'), 1000, "v1.18.2"});
    ImageRecord image;
    image.names = {"k8s.gcr.io/pause:3.2"};
    image.digest = digest('b');
    image.platforms = {{Platform::parse("linux/amd64"), digest('c'), digest('d')}};
    inventory.images.push_back(image);
    host.write("/proc/sys/kernel/hostname", "Node-1\n");
    host.write("/etc/resolv.conf", "nameserver 10.0.0.2\n");
    host.write("/usr/bin/containerd", "", 0755);
    progress = make_progress(ProgressMode::quiet);
    context = std::make_unique<Context>(options, inventory, nullptr,
                                        Catalog::builtin().facts("v1.18.2"), host, *progress);
    resolve_context(*context);
  }

  std::string plan_text(RunnerOptions runner_options = {}) {
    auto plan = make_plan(*context);
    std::ostringstream out;
    Runner(plan, host, *progress, std::move(runner_options)).print_plan(out);
    return out.str();
  }

  InstallOptions options;
  test::TempRoot root;
  test::FakeHost host;
  Inventory inventory;
  std::unique_ptr<Progress> progress;
  std::unique_ptr<Context> context;
};

std::size_t entries(const std::filesystem::path& folder) {
  const auto all = std::filesystem::recursive_directory_iterator(folder);
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool has(const std::vector<Finding>& findings, const std::string& id, Finding::Severity severity) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.id == id && finding.severity == severity;
  });
}

}  // namespace

TEST_CASE("a plan names files and commands and writes nothing") {
  InstallOptions options;
  Node node(options);
  CHECK(node.context->node_name == "node-1");
  const auto before = entries(node.root.path());
  const auto text = node.plan_text();
  CHECK(entries(node.root.path()) == before);
  CHECK(text.find("write /usr/bin/kubeadm (kubeadm v1.18.2") != std::string::npos);
  CHECK(text.find(
            "run /usr/bin/kubeadm init phase certs all --config /var/lib/kbundle/kubeadm.yaml") !=
        std::string::npos);
  CHECK(text.find("load k8s.gcr.io/pause:3.2") != std::string::npos);
  CHECK(text.find("kubelet-start") < text.find("certs/all"));  // 1.18's order
  for (const std::string& command : node.host.commands_)
    CHECK(command.find("kubeadm") == std::string::npos);
}

TEST_CASE("phases can be left out, and unknown ones are refused") {
  InstallOptions options;
  Node node(options);
  const auto text = node.plan_text({"", {"certs"}});
  const auto line = text.substr(text.find("certs/all"));
  CHECK(line.substr(0, line.find('\n')).ends_with(" skipped"));
  CHECK_THROWS_AS(node.plan_text({"", {"coffee"}}), Error);
}

TEST_CASE("a further master joins: its own phases, no add-ons, the address of the ticket") {
  InstallOptions options;
  options.join_endpoint = "10.0.0.100:6443";
  options.token = "abcdef.0123456789abcdef";
  options.discovery_token_ca_cert_hash = "sha256:" + std::string(64, 'a');
  CHECK_THROWS_AS(Node(options), Error);  // no certificate key
  options.certificate_key = std::string(64, '0');
  Node node(options);
  CHECK(node.context->joins());
  CHECK(node.context->api_endpoint() == "10.0.0.100:6443");
  auto text = node.plan_text();
  const auto at = [&](const char* phase) { return text.find(phase); };
  CHECK(at("join phase control-plane-prepare download-certs") != std::string::npos);
  CHECK(at("check-etcd") < at(" kubelet-start"));
  CHECK(at(" kubelet-start") < at("control-plane-join/etcd"));
  CHECK(at("control-plane-join/etcd") < at("control-plane-join/mark-control-plane"));
  CHECK(at("addon/all") == std::string::npos);
  CHECK(at("upload-certs") == std::string::npos);
  // Another list of phases where the kubelet comes before etcd.
  node.context->facts = Catalog::builtin().facts("v1.34.0");
  text = node.plan_text();
  CHECK(at("kubeadm join --config /var/lib/kbundle/kubeadm.yaml --skip-phases=preflight,"
           "control-plane-prepare,check-etcd,kubelet-start,kubelet-wait-bootstrap,"
           "control-plane-join,wait-control-plane") != std::string::npos);
}

TEST_CASE("with an external etcd no phase makes one, and no pod of it is expected") {
  InstallOptions options;
  const test::TempRoot folder;
  const test::FakeHost files(folder);
  files.write("/kubeadm.yaml",
              "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n"
              "etcd: {external: {endpoints: [https://10.0.0.9:2379]}}\n");
  options.kubeadm_config = folder.path() / "kubeadm.yaml";
  Node node(options);
  CHECK(node.plan_text().find("etcd/local") == std::string::npos);
  CHECK(node.context->static_pods() ==
        std::vector<std::string>{"kube-apiserver", "kube-controller-manager", "kube-scheduler"});
  ImageRecord etcd = node.inventory.images[0];
  etcd.names = {"k8s.gcr.io/etcd:3.4.3-0"};
  CHECK_FALSE(node.context->runs_image(etcd, InstallOptions::Role::master));
  // Nobody is asked before the files that it takes are there.
  const std::string etcd_of = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n";
  files.write("/kubeadm.yaml", etcd_of +
                                   "etcd: {external: {endpoints: [https://127.0.0.1:1], "
                                   "caFile: /etc/etcd/ca.crt}}\n");
  Node with_files(options);
  CHECK(has(preflight(*with_files.context), "ExternalEtcdClientCertificates",
            Finding::Severity::error));
  CHECK_FALSE(has(preflight(*with_files.context), "ExternalEtcdVersion", Finding::Severity::error));
  CHECK(has(preflight(*node.context), "ExternalEtcdVersion", Finding::Severity::error));
  for (const char* bad : {"{endpoints: []}", "{endpoints: [10.0.0.9:2379]}", "[]",
                          "{endpoints: [https://a:1], certFile: /x}",
                          "{endpoints: [https://a:1], caFile: pki/ca.crt}"}) {
    files.write("/kubeadm.yaml", etcd_of + "etcd: {external: " + bad + "}\n");
    CHECK_THROWS_AS(Node(options), Error);
  }
}

TEST_CASE("whose etcd a node has, it tells also after half an install") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  const auto pod = [](const char* servers) {
    return std::string(
               "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - command:\n    - "
               "kube-apiserver\n    - --etcd-cafile=/etc/etcd/ca.crt\n    - --etcd-servers=") +
           servers + "\n";
  };
  CHECK_FALSE(external_etcd_of_node(host, std::nullopt));
  host.write("/etc/kubernetes/manifests/kube-apiserver.yaml", pod("https://127.0.0.1:2379"));
  CHECK_FALSE(external_etcd_of_node(host, std::nullopt));
  host.write("/etc/kubernetes/manifests/kube-apiserver.yaml",
             pod("https://10.0.0.8:2379,https://10.0.0.9:2379"));
  const auto told = external_etcd_of_node(host, std::nullopt);
  REQUIRE(told);
  CHECK(told->endpoints ==
        std::vector<std::string>{"https://10.0.0.8:2379", "https://10.0.0.9:2379"});
  CHECK(told->credentials.ca_file == "/etc/etcd/ca.crt");
  CHECK_FALSE(external_etcd_of_node(host, Receipt{}));
}

TEST_CASE("--vip is the endpoint, comes before what asks for it, and must be free") {
  InstallOptions options;
  options.vip = "10.0.0.100";
  CHECK_THROWS_AS(Node(options), Error);  // the bundle has no keepalived
  const auto with_image = [](Node& node) {
    ImageRecord image = node.inventory.images[0];
    image.names = {node.context->facts.keepalived_image};
    node.inventory.images.push_back(image);
  };
  Node node(InstallOptions{});
  with_image(node);
  CHECK(node.context->images_for_role().size() == 1);
  node.options.vip = "10.0.0.100";
  resolve_context(*node.context);
  CHECK(node.context->api_endpoint() == "10.0.0.100:6443");
  CHECK(node.context->images_for_role().size() == 2);
  const auto text = node.plan_text();
  CHECK(text.find("etcd/local") < text.find(" virtual-address"));
  CHECK(text.find(" virtual-address") < text.find(" wait-control-plane"));
  CHECK_FALSE(has(preflight(*node.context), "VirtualAddress", Finding::Severity::error));
  node.host.answer_ = [](const std::vector<std::string>& argv) {
    const bool neighbour = argv[0] == "ip";
    return CommandResult{
        0, false, neighbour ? "10.0.0.100 dev eth0 lladdr 02:42:0a:00:00:64 REACHABLE\n" : "", ""};
  };
  CHECK(has(preflight(*node.context), "VirtualAddress", Finding::Severity::error));
  node.host.answer_ = nullptr;
  for (const char* bad : {"10.0.1.100", "10.0.0.5"}) {
    node.options.vip = bad;
    resolve_context(*node.context);
    CHECK(has(preflight(*node.context), "VirtualAddress", Finding::Severity::error));
  }
}

TEST_CASE("an image repository renames what the node asks for") {
  InstallOptions options;
  options.image_repository = "registry.site/k8s";
  Node node(options);
  CHECK(node.context->pause_image() == "registry.site/k8s/pause:3.2");
  CHECK(node.context->names_on_node(node.inventory.images[0]) ==
        std::vector<std::string>{"k8s.gcr.io/pause:3.2", "registry.site/k8s/pause:3.2"});
}

TEST_CASE("Docker is a runtime until Kubernetes 1.23, and then brings kubeadm's own preflight") {
  InstallOptions options;
  options.runtime = "docker";
  Node node(options);
  node.host.write("/usr/bin/docker", "", 0755);
  node.inventory.files.push_back({"containerd", "/usr/local/bin/containerd", 0755,
                                  Platform::parse("linux/amd64"), digest('e'), 1000, "v1.6.39"});
  const auto text = node.plan_text();
  CHECK(text.find("init phase preflight --config") != std::string::npos);
  CHECK(text.find("systemctl start docker.service") != std::string::npos);
  CHECK(text.find("/usr/local/bin/containerd") == std::string::npos);
  CHECK(node.context->runtime->cri_socket() == "/var/run/dockershim.sock");
  CHECK(node.context->runtime->listed_digest(node.inventory.images[0]) == digest('d'));

  Context later(options, node.inventory, nullptr, Catalog::builtin().facts("v1.34.4"), node.host,
                *node.progress);
  CHECK_THROWS_WITH(make_runtime(later), Catch::Contains("cri-dockerd"));
}

TEST_CASE(
    "Docker from Kubernetes 1.24 on: through the bundle's cri-dockerd, with its pause image") {
  InstallOptions options;
  options.runtime = "docker";
  Node node(options);
  node.host.write("/usr/bin/docker", "", 0755);
  node.inventory.files.push_back({"cri-dockerd", "/usr/bin/cri-dockerd", 0755,
                                  Platform::parse("linux/amd64"), digest('e'), 1000, "v0.3.17"});
  Context later(options, node.inventory, nullptr, Catalog::builtin().facts("v1.34.4"), node.host,
                *node.progress);
  later.platform = node.context->platform;
  const auto runtime = make_runtime(later);
  CHECK(runtime->cri_socket() == "/var/run/cri-dockerd.sock");
  CHECK(runtime->sandbox_image().empty());
  const auto state = runtime->check();
  CHECK(state.state == PhaseState::todo);
  const auto& actions = state.actions;
  CHECK(std::find(actions.begin(), actions.end(),
                  "write /etc/systemd/system/cri-dockerd.service") != actions.end());

  std::set<std::string> running;
  node.host.answer_ = [&](const std::vector<std::string>& argv) {
    if (argv[0].ends_with("docker")) return CommandResult{0, false, "20.10.24\n", ""};
    if (argv[1] == "is-enabled") return CommandResult{0, false, "enabled\n", ""};
    if (argv[1] == "is-active")
      return CommandResult{0, false, running.contains(argv[2]) ? "active\n" : "inactive\n", ""};
    if (argv[1] == "restart") {
      running.insert(argv[2]);
      node.host.write("/var/run/cri-dockerd.sock", "");
    }
    return CommandResult{0, false, "", ""};
  };
  runtime->ensure();
  CHECK(runtime->check().state == PhaseState::done);
  CHECK(runtime->sandbox_image() == "registry.k8s.io/pause:3.10.1");
  // A package's own listens at the same place.
  running.insert("cri-docker.socket");
  CHECK(runtime->check().state == PhaseState::conflict);
}

TEST_CASE("preflight collects what the plan will not fix") {
  InstallOptions options;
  options.role = InstallOptions::Role::master;
  Node node(options);
  node.host.addresses_.push_back({"eth1", "10.1.0.5", 24, false});
  node.context->network = find_node_network(node.host, "");
  node.host.write("/proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n");
  node.host.write("/proc/net/tcp",
                  "  sl\n   0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 "
                  "00000000 0 0 4711 1\n");
  node.host.write("/etc/kubernetes/admin.conf", "foreign");
  const auto findings = preflight(*node.context);
  for (const char* id : {"NodeIP", "Swap", "Port-6443", "Hostname", "Leftovers", "Systemd",
                         "FileExisting-conntrack"})
    CHECK(has(findings, id, Finding::Severity::error));

  node.options.ignore_preflight_errors = {"swap", "NodeIP"};
  const InstallOptions ignoring = node.options;
  Node second(ignoring);
  second.host.write("/proc/swaps",
                    "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n");
  CHECK(has(preflight(*second.context), "Swap", Finding::Severity::warning));
}

TEST_CASE("--swapoff makes swap part of the plan") {
  InstallOptions options;
  options.swapoff = true;
  Node node(options);
  node.host.write("/proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n");
  node.host.write("/etc/fstab", "/dev/sda2 none swap sw 0 0\n/dev/sda1 / ext4 defaults 0 1\n");
  CHECK_FALSE(has(preflight(*node.context), "Swap", Finding::Severity::error));
  CHECK(node.plan_text().find("run swapoff -a") != std::string::npos);
}

TEST_CASE("swap's units are masked before swap is off") {
  InstallOptions options;
  options.swapoff = true;
  Node node(options);
  for (const char* module : {"overlay", "br_netfilter"})
    node.host.write(std::string("/sys/module/") + module + "/x", "");
  for (const char* setting : {"bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables"})
    node.host.write(std::string("/proc/sys/net/") + setting, "1\n");
  node.host.write("/proc/sys/net/ipv4/ip_forward", "1\n");
  node.host.write("/proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 1 0 -2\n");
  node.host.answer_ = [](const std::vector<std::string>& argv) {
    const bool lists = argv.size() > 1 && argv[1] == "list-units";
    return CommandResult{0, false, lists ? "dev-zram0.swap loaded active active zram\n" : "", ""};
  };
  node.context->network.default_route = true;
  make_host_phase(*node.context)->apply();
  const auto& commands = node.host.commands_;
  const auto mask = std::find(commands.begin(), commands.end(), "systemctl mask dev-zram0.swap");
  CHECK(mask != commands.end());
  CHECK(std::find(mask, commands.end(), "swapoff -a") != commands.end());
  CHECK(node.host.exists("/etc/sysctl.d/99-zz-kubernetes.conf"));
}

TEST_CASE("a clock before the bundle is refused") {
  InstallOptions options;
  Node node(options);
  node.inventory.created = "2199-01-01T00:00:00Z";
  CHECK(has(preflight(*node.context), "Clock", Finding::Severity::error));
}

TEST_CASE("firewalld is opened by the plan, and named when that phase is left out") {
  InstallOptions options;
  options.role = InstallOptions::Role::master;
  options.skip_phases = {"firewall"};
  Node node(options);
  CHECK_FALSE(has(preflight(*node.context), "Firewalld", Finding::Severity::warning));
  CHECK_FALSE(has(preflight(*node.context), "SELinux", Finding::Severity::warning));
  node.inventory.cni = "flannel v0.12.0";
  node.host.write("/sys/fs/selinux/enforce", "1");
  node.host.write("/run/systemd/system/x", "");
  node.host.answer_ = [](const std::vector<std::string>& argv) {
    return CommandResult{argv.back() == "firewalld" ? 0 : 1, false, "", ""};
  };
  const auto findings = preflight(*node.context);
  CHECK(has(findings, "SELinux", Finding::Severity::warning));
  REQUIRE(has(findings, "Firewalld", Finding::Severity::warning));
  for (const Finding& finding : findings)
    if (finding.id == "Firewalld") CHECK(finding.message.find("8472/udp") != std::string::npos);
  node.options.skip_phases.clear();
  CHECK(node.plan_text().find("firewall-cmd --permanent") != std::string::npos);
}

TEST_CASE("only a CNI configuration that comes before flannel's is in the way") {
  InstallOptions options;
  Node node(options);
  const auto in_the_way = [&](const char* cni, const std::string& name) {
    node.inventory.cni = cni;
    node.host.write("/etc/cni/net.d/" + name, "{}");
    const bool found = has(preflight(*node.context), "CNIConfig", Finding::Severity::error);
    node.host.remove("/etc/cni/net.d/" + name);
    return found;
  };
  for (const char* name : {"05-site.conf", "05-site.conflist", "05-site.json"})
    CHECK(in_the_way("flannel v0.12.0", name));
  for (const char* name : {"05-site.conf.bak", "10-flannel.conflist", "99-loopback.conf"})
    CHECK_FALSE(in_the_way("flannel v0.12.0", name));
  CHECK_FALSE(in_the_way("none", "05-site.conf"));
  CHECK_FALSE(in_the_way("file", "05-site.conf"));
}

TEST_CASE("what an earlier run has placed is not held against its resumption") {
  InstallOptions options;
  Node node(options);
  node.inventory.cni = "flannel v0.12.0";
  node.inventory.budgets.disk_runtime = std::uint64_t{1} << 60U;
  node.host.write("/etc/cni/net.d/05-site.conf", "{}");
  CHECK(has(preflight(*node.context), "DiskSpace", Finding::Severity::error));
  auto journal = Journal::open(node.host.at(node_path::journal));
  journal.write_plan({});
  journal.begin("host");
  node.context->journal = &journal;
  const auto findings = preflight(*node.context);
  CHECK(has(findings, "DiskSpace", Finding::Severity::warning));
  CHECK_FALSE(has(findings, "DiskSpace", Finding::Severity::error));
  CHECK_FALSE(has(findings, "CNIConfig", Finding::Severity::error));
}

TEST_CASE("the system's pods are judged on this node alone, and CoreDNS anywhere") {
  InstallOptions options;
  options.role = InstallOptions::Role::master;
  Node node(options);
  node.inventory.cni = "flannel v0.12.0";
  node.host.write("/usr/bin/kubectl", "");
  node.inventory.files[2].digest = *node.host.digest("/usr/bin/kubectl");
  node.host.write(node_path::admin_config, "");
  std::string pods;
  node.host.answer_ = [&](const std::vector<std::string>& argv) {
    const bool lists = std::find(argv.begin(), argv.end(), "pods") != argv.end();
    return CommandResult{0, false, lists ? pods : "True fine", ""};
  };
  const auto state = [&](const std::string& more) {
    pods = more;
    for (const char* name : {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"})
      pods += std::string(name) + "-node-1 Running node-1 true <none> <none>\n";
    return make_ready_phase(*node.context)->check().state;
  };
  CHECK(state("") == PhaseState::done);
  CHECK(state("coredns-1 Running node-2 true <none> <none>\n") == PhaseState::done);
  CHECK(state("stranger Pending <none> <none> <none> <none>\n") == PhaseState::done);
  CHECK(state("kube-proxy-2 Running node-2 false Crash <none>\n") == PhaseState::done);
  CHECK(state("evicted Failed node-1 <none> <none> <none>\n") == PhaseState::done);
  CHECK(state("job Succeeded node-1 false <none> <none>\n") == PhaseState::done);
  CHECK(state("kube-proxy-1 Running node-1 false Crash <none>\n") == PhaseState::todo);
  CHECK(state("coredns-1 Pending <none> <none> <none> <none>\n") == PhaseState::todo);
}

TEST_CASE("kubectl keeps its cache out of root's home, and a dry run keeps none") {
  const auto cache = [](bool dry_run) {
    InstallOptions options;
    options.dry_run = dry_run;
    Node node(options);
    const auto command = node.context->kubectl({"get", "nodes"});
    const std::string home = command.environment.at("HOME");
    CHECK(std::find(command.argv.begin(), command.argv.end(), "--cache-dir=" + home) !=
          command.argv.end());
    return home;
  };
  CHECK(cache(false) == "/run/kbundle/kubectl");
  CHECK(cache(true) == "/proc/self/nonexistent");
}

TEST_CASE("Docker's bridges carry no node's address, a site's own ones do") {
  CHECK(is_container_interface("br-0123456789ab"));
  CHECK_FALSE(is_container_interface("br-ex"));
  CHECK_FALSE(is_container_interface("br-mgmt"));
}
