// Preflight on hosts as their makers ship them: the trees in hosts/ are made for these tests.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

// A tree of hosts/; the commands in its commands.txt ("COMMAND => OUTPUT") succeed, others fail.
class TreeHost final : public Host {
 public:
  explicit TreeHost(const std::string& name, std::string interface)
      : Host(std::string(KBUNDLE_SOURCE_DIR) + "/tests/unit/installer/hosts/" + name),
        interface_(std::move(interface)) {
    for (const std::string& line : split(read("/commands.txt").value_or(""), '\n')) {
      const auto arrow = line.find(" => ");
      if (!line.empty())
        answers_[line.substr(0, arrow)] =
            arrow == std::string::npos ? "" : line.substr(arrow + 4) + "\n";
    }
  }
  bool live() const override { return true; }
  bool is_root() const override { return true; }
  Platform platform() const override { return Platform::parse("linux/amd64"); }
  std::vector<InterfaceAddress> addresses() const override {
    return {{interface_, "10.20.0.5", 24, false}};
  }
  CommandResult run(Command command) const override {
    const auto answer = answers_.find(to_shell(command.argv));
    if (answer == answers_.end()) return {1, false, "", ""};
    return {0, false, answer->second, ""};
  }

 private:
  std::string interface_;
  std::map<std::string, std::string> answers_;
};

// "error Swap" for each finding, sorted, each once; what depends on the machine that runs the tests
// (its disks, its clock) left out.
std::vector<std::string> findings_on(const std::string& tree, const std::string& interface,
                                     const std::string& version) {
  TreeHost host(tree, interface);
  Inventory inventory;
  inventory.kubernetes_version = version;
  inventory.created = "2024-01-01T00:00:00Z";
  inventory.cni = "flannel";
  inventory.platforms = {Platform::parse("linux/amd64")};
  const auto bytes = Digest::parse("sha256:" + std::string(64, 'a'));
  for (const auto& [component, path] :
       {std::pair("kubeadm", "/usr/bin/kubeadm"), std::pair("kubelet", "/usr/bin/kubelet"),
        std::pair("kubectl", "/usr/bin/kubectl"),
        std::pair("containerd", "/usr/local/bin/containerd"),
        std::pair("cni-plugins", "/opt/cni/bin/bridge")})
    inventory.files.push_back({component, path, 0755, Platform::parse("linux/amd64"), bytes, 1000,
                               std::string(component) == "containerd" ? "v1.6.39" : version});
  InstallOptions options;
  const auto progress = make_progress(ProgressMode::quiet);
  Context context(options, inventory, nullptr, Catalog::builtin().facts(version), host, *progress);
  context.cni = Catalog::builtin().cni(context.facts, "flannel", "amd64");
  resolve_context(context);
  std::set<std::string> result;
  for (const Finding& finding : preflight(context)) {
    if (finding.id.starts_with("Disk") || finding.id.ends_with("Clock")) continue;
    // Every finding says what to do, but for the two that only tell what was decided.
    if (finding.id != "DefaultRoute" && finding.id != "Resolver") CHECK_FALSE(finding.fix.empty());
    result.insert((finding.severity == Finding::Severity::error ? "error " : "warning ") +
                  finding.id);
  }
  return {result.begin(), result.end()};
}

using Expected = std::vector<std::string>;

// What is there with one version and not with another.
Expected only_in(const Expected& these, const Expected& others) {
  Expected result;
  std::set_difference(these.begin(), these.end(), others.begin(), others.end(),
                      std::back_inserter(result));
  return result;
}

}  // namespace

TEST_CASE("CentOS 7: an old kernel is fine for old Kubernetes, and an error from 1.32 on") {
  const auto old = findings_on("centos-7", "eth0", "v1.18.2");
  // The plan opens firewalld, loads modules and sets ip_forward itself: no findings.
  CHECK(old == Expected{"error FileExisting-conntrack", "error Swap", "warning FileExisting-socat",
                        "warning SELinux", "warning Sysctl"});
  const auto late = findings_on("centos-7", "eth0", "v1.32.0");
  CHECK(only_in(late, old) == Expected{"error SystemVerification", "warning SystemVerification"});
  CHECK(only_in(findings_on("centos-7", "eth0", "v1.31.0"), old).empty());
}

TEST_CASE("Ubuntu 22.04: cgroup v2 is refused by 1.18 alone, the stub resolver is no finding") {
  const Expected both = {"error FileExisting-conntrack", "error Swap",
                         "warning FileExisting-ebtables", "warning FileExisting-socat",
                         "warning MTU"};
  const auto old = findings_on("ubuntu-22.04", "ens3", "v1.18.2");
  CHECK(only_in(old, both) == Expected{"error CgroupVersion"});
  CHECK(findings_on("ubuntu-22.04", "ens3", "v1.19.0") == both);
  CHECK(findings_on("ubuntu-22.04", "ens3", "v1.34.4") == Expected{"error Swap", "warning MTU"});
}

TEST_CASE("RHEL 9 as hardening guides leave it") {
  const auto found = findings_on("rhel-9", "ens192", "v1.30.0");
  CHECK(found == Expected{"error NoExec", "error ReadOnly", "error Sysctl", "warning Fapolicyd",
                          "warning HTTPProxyCIDR", "warning Sysctl"});
  // EL9's 5.14 is none that 1.34 is tested with.
  CHECK(only_in(findings_on("rhel-9", "ens192", "v1.34.4"), found) ==
        Expected{"warning SystemVerification"});
}

TEST_CASE("openEuler 22.03 with Docker, without a route, a resolver or room") {
  const auto found = findings_on("openeuler-22.03", "ens3", "v1.20.0");
  CHECK(found == Expected{"error Hostname", "error Mem", "error NetworkConflict", "error NumCPU",
                          "error Swap", "warning CRI", "warning DefaultRoute", "warning Firewall",
                          "warning MTU", "warning Resolver", "warning TimeSync"});
  // containerd 1.2 has no CRI v1.
  CHECK(only_in(findings_on("openeuler-22.03", "ens3", "v1.26.0"), found) ==
        Expected{"error Runtime"});
  CHECK(only_in(findings_on("openeuler-22.03", "ens3", "v1.35.0"), found) ==
        Expected{"error Runtime", "error SystemVerification"});
}
