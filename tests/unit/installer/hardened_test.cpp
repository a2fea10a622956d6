// Hardened hosts, and networks: what is decided from mounts, routes, proxies and trust files.
#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/bin_dir.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/cidr.hpp"
#include "installer/firewalld.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/mounts.hpp"
#include "installer/phases/phases.hpp"
#include "installer/placed_files.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

Digest digest(char c) {
  return Digest::parse("sha256:" + std::string(64, c));
}

struct Node {
  explicit Node(InstallOptions options_, const std::string& version = "v1.18.2",
                std::vector<InterfaceAddress> addresses = {{"eth0", "10.0.0.5", 24, false}})
      : options(std::move(options_)), host(root) {
    host.addresses_ = std::move(addresses);
    inventory.kubernetes_version = version;
    inventory.created = "2024-01-01T00:00:00Z";
    inventory.cni = "flannel";
    inventory.platforms = {Platform::parse("linux/amd64")};
    for (const char* name : {"kubeadm", "kubelet", "kubectl"})
      inventory.files.push_back({name, std::string("/usr/bin/") + name, 0755,
                                 Platform::parse("linux/amd64"), digest('a'), 1000, version});
    inventory = relocated(inventory, options.bin_dir);
    host.write("/proc/sys/kernel/hostname", "node-1\n");
    host.write("/etc/resolv.conf", "nameserver 10.0.0.2\n");
    host.write("/usr/bin/containerd", "", 0755);
    host.write("/lib/modules/x", "");
    progress = make_progress(ProgressMode::quiet);
    context = std::make_unique<Context>(options, inventory, nullptr,
                                        Catalog::builtin().facts(version), host, *progress);
    context->cni = Catalog::builtin().cni(context->facts, "flannel", "amd64");
    context->bin_dir = options.bin_dir;
    host.set_bin_dir(options.bin_dir);
  }

  std::vector<std::string> messages(const std::string& id) {
    std::vector<std::string> result;
    for (const Finding& finding : preflight(*context))
      if (finding.id == id) result.push_back(finding.message);
    return result;
  }

  InstallOptions options;
  test::TempRoot root;
  test::FakeHost host;
  Inventory inventory;
  std::unique_ptr<Progress> progress;
  std::unique_ptr<Context> context;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("networks overlap or not, bit by bit") {
  const auto net = [](const char* text) { return *Cidr::parse(text); };
  CHECK(net("10.96.0.0/12").overlaps(net("10.100.0.0/16")));
  CHECK(net("10.96.0.0/12").contains(net("10.111.255.255")));
  CHECK_FALSE(net("10.96.0.0/12").overlaps(net("10.112.0.0/16")));
  CHECK_FALSE(net("10.100.0.0/16").contains(net("10.96.0.0/12")));
  CHECK(net("0.0.0.0/0").contains(net("1.2.3.4")));
  CHECK(net("fd00::/48").contains(net("fd00:0:0:1::1")));
  CHECK_FALSE(net("fd00::/48").overlaps(net("10.0.0.0/8")));
  CHECK_FALSE(Cidr::parse("10.0.0.0/33"));
  CHECK_FALSE(Cidr::parse("10.0.0.0/"));
  CHECK_FALSE(Cidr::parse("node-1"));
}

TEST_CASE("routes are read in both families, without those that lead nowhere") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  host.write("/proc/net/route",
             "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
             "eth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n"
             "eth0 0000140A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
             "eth0 0000FEA9 00000000 0001 0 0 0 0000FFFF 0 0 0\n"
             "* 0000600A 00000000 0200 0 0 0 0000F0FF 0 0 0\n");
  host.write("/proc/net/ipv6_route",
             "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 "
             "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
             "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 "
             "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n");
  std::vector<std::string> found;
  for (const Route& route : routes(host)) found.push_back(route.destination.str());
  CHECK(found == std::vector<std::string>{"10.20.0.0/24", "fd00::/64"});
}

TEST_CASE("a path's mount is the longest, and the last on one folder") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  host.write("/proc/mounts",
             "/dev/sda1 / ext4 rw 0 0\n/dev/sda2 /usr ext4 rw 0 0\n/dev/sda2 /usr ext4 ro 0 0\n"
             "/dev/sdb1 /media/a\\040b vfat rw,noexec 0 0\n");
  CHECK(mount_of(host, "/usr/bin").has("ro"));
  CHECK(mount_of(host, "/usrlocal").folder == "/");
  CHECK(mount_of(host, "/media/a b/kbundle").has("noexec"));
}

TEST_CASE("--bin-dir moves programs and units' lines, and nothing else") {
  CHECK(relocated("/usr/local/sbin/runc", "/opt/bin") == "/opt/bin/runc");
  CHECK(relocated("/opt/cni/bin/bridge", "/opt/bin") == "/opt/cni/bin/bridge");
  CHECK(relocated("/usr/bin/kubelet", "") == "/usr/bin/kubelet");
  const auto unit =
      relocated_unit("[Service]\nExecStart=\nExecStart=/usr/bin/kubelet $A\n", "/opt/b");
  CHECK(contains(unit, "ExecStart=\nEnvironment=PATH=/opt/b:/usr"));
  CHECK(contains(unit, "\nExecStart=/opt/b/kubelet $A\n"));
  Inventory inventory;
  for (const char* bad : {"opt/bin", "/opt/bin/", "/opt/../bin", "/opt/my bin", "/"})
    CHECK_THROWS_AS(relocated(inventory, bad), Error);

  InstallOptions options;
  options.bin_dir = "/opt/bin";
  Node node(options);
  node.host.write("/proc/mounts", "/dev/sda1 / ext4 rw 0 0\n/dev/sda2 /usr ext4 ro 0 0\n");
  resolve_context(*node.context);
  CHECK(node.messages("ReadOnly").empty());
  CHECK(node.context->program("kubelet") == "/opt/bin/kubelet");
  CHECK(node.context->program("crictl") == "/opt/bin/crictl");
  CHECK(node.context->volume_plugin_dir == "/var/lib/kubelet/volumeplugins");
  node.host.write("/opt/bin/kubeadm", "", 0755);
  CHECK(node.host.program("kubeadm") == "/opt/bin/kubeadm");

  InstallOptions plain;
  Node other(plain);
  other.host.write("/proc/mounts", "/dev/sda1 / ext4 rw 0 0\n/dev/sda2 /usr ext4 ro 0 0\n");
  resolve_context(*other.context);
  REQUIRE(other.messages("ReadOnly").size() == 1);
  CHECK(contains(other.messages("ReadOnly")[0], "/usr/bin lies on /usr"));
}

TEST_CASE("a controller manager's plugin folder is one that can be made") {
  for (const char* version : {"v1.18.2", "v1.34.4"}) {
    const auto facts = Catalog::builtin().facts(version);
    KubeadmInputs inputs(facts);
    inputs.node_ip = "10.0.0.5";
    inputs.kubelet_node_ip = "10.0.0.5,fd00::5";
    inputs.volume_plugin_dir = "/var/lib/kubelet/volumeplugins";
    const auto text = render_kubeadm_config(inputs);
    CHECK(contains(text, "flex-volume-plugin-dir"));
    CHECK(contains(text, "volume-plugin-dir"));
    CHECK(contains(text, "10.0.0.5,fd00::5"));
    inputs.volume_plugin_dir.clear();
    CHECK_FALSE(contains(render_kubeadm_config(inputs), "volume-plugin-dir"));
  }
}

TEST_CASE("IPv6-only and dual-stack nodes") {
  const InterfaceAddress v4{"eth0", "10.0.0.5", 24, false}, v6{"eth0", "fd00::5", 64, true};
  InstallOptions options;
  {
    Node node(options, "v1.20.0", {v6});
    resolve_context(*node.context);
    CHECK(node.context->network.node_ip == "fd00::5");
    CHECK(node.context->api_endpoint() == "[fd00::5]:6443");
    // kubeadm's default for services is IPv4.
    CHECK(node.messages("NetworkFamily").size() == 2);
  }
  options.node_ip = "10.0.0.5,fd00::5";
  {
    Node node(options, "v1.20.0", {v4, v6});
    resolve_context(*node.context);
    CHECK(node.context->network.node_ip == "10.0.0.5");
    CHECK(node.context->network.interface == "eth0");
    CHECK(node.context->network.kubelet_node_ip() == "10.0.0.5,fd00::5");
    CHECK(node.messages("NodeIP").empty());
    CHECK(node.messages("NetworkFamily").empty());
    const auto plan = make_host_phase(*node.context)->check();
    CHECK(std::any_of(plan.actions.begin(), plan.actions.end(), [](const std::string& action) {
      return contains(action, "ipv6/conf/default/forwarding");
    }));
  }
  Node old(options, "v1.18.2", {v4, v6});
  CHECK_THROWS_AS(resolve_context(*old.context), Error);
  options.node_ip = "10.0.0.5,10.0.0.6";
  Node same(options, "v1.20.0", {v4});
  CHECK_THROWS_AS(resolve_context(*same.context), Error);
}

TEST_CASE("networks of the cluster that the site uses are conflicts") {
  InstallOptions options;
  options.service_cidr = "10.244.128.0/17";
  Node node(options);
  node.host.write("/etc/resolv.conf", "nameserver 10.244.0.2\n");
  node.host.write("/proc/net/route",
                  "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
                  "eth0 0000000A 00000000 0001 0 0 0 000000FF 0 0 0\n"
                  "cni0 0000F40A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n");
  resolve_context(*node.context);
  const auto found = node.messages("NetworkConflict");
  const auto one = [&](const char* part) {
    return std::count_if(found.begin(), found.end(),
                         [&](const std::string& text) { return contains(text, part); });
  };
  CHECK(one("and the service network 10.244.128.0/17 overlap") == 1);
  CHECK(one("the nameserver 10.244.0.2 lies inside the pod network") == 1);
  CHECK(one("overlaps the route to 10.0.0.0/8 on eth0") == 2);  // wider: a warning
  CHECK(one("cni0") == 0);
}

TEST_CASE("a proxy is named with the networks its NO_PROXY leaves out") {
  InstallOptions options;
  Node node(options);
  resolve_context(*node.context);
  const std::string drop_in = "/etc/systemd/system/containerd.service.d/proxy.conf";
  node.host.write(drop_in,
                  "[Service]\nEnvironment=\"HTTPS_PROXY=http://p:1\"\n"
                  "Environment=\"NO_PROXY=10.0.0.0/8,.site\"\n");
  CHECK(node.messages("HTTPProxyCIDR").empty());
  CHECK(node.messages("HTTPProxy") == std::vector<std::string>{drop_in + " sets HTTPS_PROXY"});
  node.host.write("/etc/environment", "https_proxy='http://p:1'\nno_proxy=10.0.0.5\n");
  REQUIRE(node.messages("HTTPProxyCIDR").size() == 1);
  CHECK(contains(node.messages("HTTPProxyCIDR")[0],
                 "leaves out 10.96.0.0/12 (services), 10.244.0.0/16 (pods)"));
  node.host.write("/etc/environment", "#https_proxy=http://p:1\nhttps_proxy=\n");
  CHECK(node.messages("HTTPProxyCIDR").empty());
}

TEST_CASE("SELinux and fapolicyd are told of what is placed, once") {
  const test::TempRoot root;
  test::FakeHost host(root);
  const std::vector<PlacedFile> files = {{"/usr/bin/kubelet", digest('a'), true},
                                         {"/usr/bin/kubeadm", digest('b'), true},
                                         {"/etc/systemd/system/kubelet.service", {}, false}};
  for (const PlacedFile& file : files) host.write(file.path, "");
  std::string label;
  host.answer_ = [&](const std::vector<std::string>& argv) {
    return CommandResult{0, false, argv[0] == "restorecon" ? label : "", ""};
  };
  CHECK(trust_commands(host, files).empty());
  CHECK(host.commands_.empty());

  host.write("/sys/fs/selinux/enforce", "0");
  host.write("/usr/sbin/restorecon", "", 0755);
  CHECK(trust_commands(host, files).empty());
  label = "Would relabel /usr/bin/kubelet from system_u:object_r:user_tmp_t:s0 to bin_t:s0\n";
  CHECK(trust_commands(host, files) ==
        std::vector<std::vector<std::string>>{{"restorecon", "/usr/bin/kubelet"}});
  label.clear();

  host.write("/usr/sbin/fapolicyd-cli", "", 0755);
  host.write("/etc/fapolicyd/fapolicyd.trust", "/usr/bin/kubelet 1 " + digest('c').hex() + "\n");
  host.write("/etc/fapolicyd/trust.d/site", "/usr/bin/kubeadm 1 " + digest('b').hex() + "\n");
  CHECK(trust_commands(host, files) ==
        std::vector<std::vector<std::string>>{
            {"fapolicyd-cli", "--file", "update", "/usr/bin/kubelet"},
            {"fapolicyd-cli", "--update"}});
  host.remove("/etc/fapolicyd/trust.d/site");
  trust(host, files);
  CHECK(std::find(host.commands_.begin(), host.commands_.end(),
                  "fapolicyd-cli --file add /usr/bin/kubeadm") != host.commands_.end());
}

TEST_CASE("firewalld gets what is missing, and a reload puts it in force") {
  InstallOptions options;
  options.role = InstallOptions::Role::worker;
  options.join_endpoint = "10.0.0.9:6443";
  options.token = "abcdef.0123456789abcdef";
  options.discovery_token_ca_cert_hash = "sha256:" + std::string(64, 'a');
  Node node(options);
  node.host.write("/run/systemd/system/x", "");
  resolve_context(*node.context);
  std::string ports = "22/tcp 10250/tcp", sources;
  node.host.answer_ = [&](const std::vector<std::string>& argv) {
    const auto asks = [&](const char* word) {
      return std::find(argv.begin(), argv.end(), word) != argv.end();
    };
    if (asks("--reload")) {
      ports = "10250/tcp 8472/udp";
      sources = "10.244.0.0/16 10.96.0.0/12";
    }
    if (asks("--get-default-zone")) return CommandResult{0, false, "public\n", ""};
    if (asks("--list-ports")) return CommandResult{0, false, ports + "\n", ""};
    if (asks("--list-sources")) return CommandResult{0, false, sources + "\n", ""};
    return CommandResult{argv[1].starts_with("--get-zone") ? 2 : 0, false, "", ""};
  };
  const auto phase = make_firewall_phase(*node.context);
  CHECK(phase->check().actions ==
        std::vector<std::string>{
            "run firewall-cmd --permanent --zone=public --add-port=8472/udp",
            "run firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16",
            "run firewall-cmd --permanent --zone=trusted --add-source=10.96.0.0/12",
            "run firewall-cmd --reload"});
  phase->apply();
  CHECK(phase->check().state == PhaseState::done);
}

TEST_CASE(
    "masters with a moving address let VRRP through, and with an external etcd not etcd's ports") {
  InstallOptions options;
  Node node(options);
  CHECK(firewall_protocols(*node.context).empty());
  auto ports = firewall_ports(*node.context);
  CHECK(std::find(ports.begin(), ports.end(), "2379-2380/tcp") != ports.end());
  node.context->vip = "10.0.0.100";
  node.context->external_etcd = true;
  ports = firewall_ports(*node.context);
  CHECK(std::find(ports.begin(), ports.end(), "2379-2380/tcp") == ports.end());
  std::string protocols;
  node.host.answer_ = [&](const std::vector<std::string>& argv) {
    const std::string last = argv.back();
    if (last == "--add-protocol=vrrp") protocols = "vrrp";
    if (last == "--list-ports") return CommandResult{0, false, join(ports, " "), ""};
    if (last == "--list-protocols") return CommandResult{0, false, protocols, ""};
    if (last == "--list-sources")
      return CommandResult{0, false, join(firewall_sources(*node.context), " "), ""};
    return CommandResult{0, false, "public\n", ""};
  };
  const auto phase = make_firewall_phase(*node.context);
  CHECK(phase->check().actions ==
        std::vector<std::string>{"run firewall-cmd --permanent --zone=public --add-protocol=vrrp",
                                 "run firewall-cmd --reload"});
  phase->apply();
  CHECK(phase->check().state == PhaseState::done);
}

TEST_CASE("flannel's offload is turned off below 1.18.5 alone") {
  InstallOptions options;
  Node old(options, "v1.18.4");
  CHECK(needs_flannel_offload(*old.context));
  old.inventory.cni = "none";
  CHECK_FALSE(needs_flannel_offload(*old.context));
  Node fixed(options, "v1.18.5");
  CHECK_FALSE(needs_flannel_offload(*fixed.context));
}

TEST_CASE("another cluster's files have the names kubeadm's own checks have") {
  InstallOptions options;
  Node node(options);
  resolve_context(*node.context);
  node.host.write("/etc/kubernetes/manifests/etcd.yaml", "x");
  node.host.write("/var/lib/etcd/member/x", "x");
  node.host.write("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--network-plugin=cni\n");
  CHECK(node.messages("FileAvailable--etc-kubernetes-manifests-etcd.yaml").size() == 1);
  CHECK(node.messages("DirAvailable--var-lib-etcd").size() == 1);
  CHECK(node.messages("KubeletFlags").empty());
  Node late(options, "v1.24.0");
  resolve_context(*late.context);
  late.host.write("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--network-plugin=cni\n");
  CHECK(late.messages("KubeletFlags").size() == 1);
}
