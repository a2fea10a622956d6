#include "installer/undo.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

constexpr const char* kJournal = "/var/lib/kbundle/journal";

// Undoes everything, as reset does, and returns what it said.
std::vector<std::string> undo_all(Host& host, const Journal& journal) {
  std::vector<std::string> said;
  for (const UndoAction& action : undo_actions(host, journal)) {
    said.push_back(action.shown);
    undo(host, action);
  }
  return said;
}

// systemd as far as these tests need it.
struct Units {
  std::map<std::string, std::string> enabled, active;
  CommandResult answer(const std::vector<std::string>& argv) {
    if (argv.at(0) != "systemctl") return {0, false, "", ""};
    const std::string& verb = argv.at(1);
    const std::string unit = argv.size() > 2 ? argv[2] : "";
    if (verb == "is-enabled") return {0, false, enabled[unit] + "\n", ""};
    if (verb == "is-active") return {0, false, active[unit] + "\n", ""};
    if (verb == "enable") enabled[unit] = "enabled";
    if (verb == "disable") enabled[unit] = "disabled";
    if (verb == "mask") enabled[unit] = "masked";
    if (verb == "unmask") enabled[unit] = "generated";
    if (verb == "stop") active[unit] = "inactive";
    return {0, false, "", ""};
  }
};

}  // namespace

TEST_CASE("files that were not there go, with the folders made for them; others come back") {
  const test::TempRoot root;
  test::FakeHost host(root);
  host.write("/etc/containerd/config.toml", "the site's\n", 0640);
  host.write("/usr/bin/kubelet", "an older one", 0755);
  std::filesystem::create_symlink("kubelet", host.at("/usr/bin/kubectl"));
  auto journal = Journal::open(host.at(kJournal));
  {
    const UndoLog log(host, journal);
    host.write("/opt/cni/bin/bridge", "1", 0755);
    host.write("/opt/cni/bin/portmap", "2", 0755);
    host.write("/etc/containerd/config.toml", "merged\n", 0644);
    host.write("/etc/containerd/config.toml", "merged again\n", 0644);
    host.write("/usr/bin/kubelet", "new", 0755);
    host.write("/usr/bin/kubectl", "new", 0755);
    host.remove("/usr/bin/kubectl");
  }
  host.write("/usr/bin/not-ours", "");  // nobody listens any more

  const auto again = Journal::look(host.at(kJournal));
  CHECK(undo_all(host, again) ==
        std::vector<std::string>{"restore the link /usr/bin/kubectl", "restore /usr/bin/kubelet",
                                 "restore /etc/containerd/config.toml",
                                 "remove /opt/cni/bin/portmap", "remove /opt/cni/bin/bridge"});
  CHECK(host.read("/etc/containerd/config.toml") == "the site's\n");
  CHECK(host.mode("/etc/containerd/config.toml") == 0640);
  CHECK(host.read("/usr/bin/kubelet") == "an older one");
  CHECK(std::filesystem::read_symlink(host.at("/usr/bin/kubectl")) == "kubelet");
  CHECK_FALSE(host.exists("/opt"));
  CHECK(host.exists("/usr/bin/not-ours"));
  CHECK(undo_all(host, again).empty());
}

TEST_CASE("a folder that others use meanwhile stays") {
  const test::TempRoot root;
  test::FakeHost host(root);
  auto journal = Journal::open(host.at(kJournal));
  {
    const UndoLog log(host, journal);
    host.write("/opt/cni/bin/bridge", "1", 0755);
  }
  host.write("/opt/cni/bin/site-plugin", "x", 0755);
  undo_all(host, journal);
  CHECK(host.list("/opt/cni/bin") == std::vector<std::string>{"site-plugin"});
  CHECK(undo_all(host, journal).empty());
}

TEST_CASE("only the first touch counts, over runs and over another plan") {
  const test::TempRoot root;
  test::FakeHost host(root);
  host.write("/usr/bin/kubeadm", "v0", 0755);
  for (const char* version : {"v1", "v2"}) {
    auto journal = Journal::open(host.at(kJournal));
    PlanRecord plan;
    plan.action = version == std::string("v1") ? "install" : "upgrade";
    journal.write_plan(plan);
    const UndoLog log(host, journal);
    host.write("/usr/bin/kubeadm", version, 0755);
  }
  const auto journal = Journal::look(host.at(kJournal));
  CHECK(journal.undo_records().size() == 1);
  undo_all(host, journal);
  CHECK(host.read("/usr/bin/kubeadm") == "v0");
}

TEST_CASE("the cluster's and kbundle's own files have no records, but for what was there before") {
  const test::TempRoot root;
  test::FakeHost host(root);
  host.write("/etc/kubernetes/pki/ca.crt", "the site's own CA");
  HostSnapshot snapshot;
  snapshot.paths = {"/etc/kubernetes", "/etc/kubernetes/pki", "/etc/kubernetes/pki/ca.crt"};
  host.write("/var/lib/kbundle/snapshot.json", snapshot.to_json().dump());
  auto journal = Journal::open(host.at(kJournal));
  const UndoLog log(host, journal);
  host.write("/etc/kubernetes/scheduler.conf", "x");
  host.write("/var/lib/kbundle/receipt.json", "x");
  CHECK(journal.undo_records().empty());
  host.remove("/etc/kubernetes/pki/ca.crt");
  CHECK(journal.undo_records().size() == 1);
}

TEST_CASE("units, kernel parameters and swap go back to what they were") {
  const test::TempRoot root;
  test::FakeHost host(root);
  Units units;
  units.enabled = {{"kubelet.service", "disabled"},
                   {"containerd.service", "enabled"},
                   {"dev-zram0.swap", "generated"}};
  units.active = {{"kubelet.service", "inactive"}, {"containerd.service", "active"}};
  host.answer_ = [&](const std::vector<std::string>& argv) { return units.answer(argv); };
  host.write("/proc/sys/net/ipv4/ip_forward", "0\n");
  host.write("/proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 1 0 100\n");
  host.write("/dev/zram0", "");
  auto journal = Journal::open(host.at(kJournal));
  {
    const UndoLog log(host, journal);
    for (const char* unit : {"kubelet.service", "containerd.service", "dev-zram0.swap"})
      host.touching(Touch::unit, unit);
    host.touching(Touch::sysctl, "net.ipv4.ip_forward");
    host.touching(Touch::swap, "/dev/zram0");
  }
  units.enabled["kubelet.service"] = "enabled";
  units.active["kubelet.service"] = "active";
  units.enabled["dev-zram0.swap"] = "masked";
  host.write("/proc/sys/net/ipv4/ip_forward", "1\n");
  host.write("/proc/swaps", "Filename Type Size Used Priority\n");

  host.commands_.clear();
  CHECK(undo_all(host, journal) ==
        std::vector<std::string>{"turn swap on: /dev/zram0", "set net.ipv4.ip_forward to 0",
                                 "unmask dev-zram0.swap", "stop and disable kubelet.service"});
  CHECK(std::find(host.commands_.begin(), host.commands_.end(),
                  "swapon --priority 100 /dev/zram0") != host.commands_.end());
  CHECK(host.read("/proc/sys/net/ipv4/ip_forward").value().starts_with("0"));
  CHECK(units.enabled["kubelet.service"] == "disabled");
  CHECK(units.active["containerd.service"] == "active");
  CHECK(units_that_ran(journal) == std::vector<std::string>{"containerd.service"});
}
