// What a reset takes, and what it must not take.
#include <catch2/catch.hpp>

#include "installer/cluster_names.hpp"
#include "installer/context.hpp"
#include "installer/mounts.hpp"
#include "installer/reset/etcd_member.hpp"
#include "installer/reset/steps.hpp"
#include "installer/reset/trees.hpp"
#include "installer/undo.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

// The first is this node's.
std::vector<EtcdVoter> voters(std::initializer_list<bool> answers) {
  std::vector<EtcdVoter> result;
  for (const bool one : answers) {
    const std::string number = std::to_string(result.size() + 1);
    result.push_back({"25" + number, "m" + number, "10.0.0." + number, result.empty(), one});
  }
  return result;
}

ResetContext context_of(const ResetOptions& options, test::FakeHost& host, Progress& progress,
                        Journal& journal, HostSnapshot snapshot) {
  return {.options = options,
          .host = host,
          .progress = progress,
          .journal = journal,
          .snapshot = std::move(snapshot),
          .runtime = make_containerd_pods(host, "/run/containerd/containerd.sock"),
          .node_name = "node-1",
          .pod_networks = {},
          .notes = {}};
}

}  // namespace

TEST_CASE("a member whose leaving would cost the quorum stays") {
  CHECK_FALSE(quorum_trouble(voters({true})));
  CHECK_FALSE(quorum_trouble(voters({true, true})));
  CHECK_FALSE(quorum_trouble(voters({true, true, true})));
  CHECK_FALSE(quorum_trouble(voters({true, true, true, true, false})));
  // The dead one itself may go.
  CHECK_FALSE(quorum_trouble(voters({false, true, true})));
  // Three with one dead: two are left of which one answers.
  const auto trouble = quorum_trouble(voters({true, true, false}));
  REQUIRE(trouble);
  CHECK(trouble->what ==
        "without m1 etcd would lose its quorum: of the other 2 members 1 answers (m2 at 10.0.0.2), "
        "1 does not (m3 at 10.0.0.3), and 2 must");
  CHECK(trouble->next.find("start what is down (m3)") == 0);
  CHECK(trouble->next.find("exec etcd-m1 -- etcdctl") != std::string::npos);
  CHECK(trouble->next.find("member remove fd;") != std::string::npos);  // 253
  CHECK(trouble->next.find("--force") != std::string::npos);
}

TEST_CASE("an etcd without a quorum lets nobody go") {
  const auto trouble = quorum_trouble(voters({true, false}));
  REQUIRE(trouble);
  CHECK(trouble->what ==
        "etcd has lost its quorum, and lets no member go: of its 2 members 1 answers (m1 at "
        "10.0.0.1), 1 does not (m2 at 10.0.0.2)");
  CHECK(trouble->next.find("member remove") == std::string::npos);
  CHECK(quorum_trouble(voters({true, true, true, false, false})));
  CHECK(quorum_trouble(voters({false, true})));
  // Announced by a join that was killed, and never started.
  auto begun = voters({true, false});
  begun[1].name.clear();
  CHECK(quorum_trouble(begun)->what.find("one that never started at 10.0.0.2") !=
        std::string::npos);
}

TEST_CASE("the masters' address is taken from the interface that kept it") {
  const test::TempRoot root;
  test::FakeHost host(root);
  const auto progress = make_progress(ProgressMode::quiet);
  const ResetOptions options;
  auto journal = Journal::open(host.at(node_path::journal));
  ResetContext context = context_of(options, host, *progress, journal, {});
  const auto step = make_virtual_address_step(context);
  host.addresses_.push_back({"eth0", "10.0.0.100", 32, false});
  CHECK(step->check().state == PhaseState::done);
  context.vip = "10.0.0.100";
  const std::string removal = "ip address delete 10.0.0.100/32 dev eth0";
  CHECK(step->check().actions == std::vector<std::string>{"run " + removal});
  host.answer_ = [](const std::vector<std::string>&) { return CommandResult{0, false, "", ""}; };
  step->apply();
  CHECK(host.commands_ == std::vector<std::string>{removal});
  host.addresses_.pop_back();
  CHECK(step->check().state == PhaseState::done);
}

TEST_CASE("only what the snapshot did not find goes, and nothing behind a mount") {
  const test::TempRoot root;
  test::FakeHost host(root);
  for (const char* file :
       {"/var/lib/kubelet/config.yaml", "/var/lib/kubelet/pods/1/volumes/nfs/precious",
        "/var/lib/kubelet/pods/2/etc-hosts", "/var/lib/kubelet/site/own", "/var/lib/etcd/member/1"})
    host.write(file, "");
  host.write("/proc/self/mountinfo",
             "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
             "2 1 0:50 / /var/lib/kubelet/pods/1/volumes/nfs rw - nfs4 server:/ rw\n");
  HostSnapshot snapshot;
  snapshot.paths = {"/var/lib/kubelet", "/var/lib/kubelet/site", "/var/lib/kubelet/site/own"};
  const auto mounts = mount_points(host);
  std::vector<std::string> mounted;
  CHECK(new_paths(host, snapshot, "/var/lib/kubelet", mounts, mounted) ==
        std::vector<std::string>{"/var/lib/kubelet/config.yaml", "/var/lib/kubelet/pods/2"});
  CHECK(mounted == std::vector<std::string>{"/var/lib/kubelet/pods/1/volumes/nfs"});
  mounted.clear();
  CHECK(new_paths(host, snapshot, "/var/lib/etcd", mounts, mounted) ==
        std::vector<std::string>{"/var/lib/etcd"});
  CHECK(mounted.empty());
  snapshot.kept_folders = {"/var/lib/kubelet"};
  CHECK(new_paths(host, snapshot, "/var/lib/kubelet", mounts, mounted).empty());
}

TEST_CASE("flannel's plugin goes, a site's own comes back") {
  for (const bool of_the_site : {false, true}) {
    const test::TempRoot root;
    test::FakeHost host(root);
    const std::string plugin = cluster_names::flannel_plugin;
    if (of_the_site) host.write(plugin, "the site's", 0750);
    auto journal = Journal::open(host.at(node_path::journal));
    const auto runtime = make_containerd_pods(host, "/run/containerd/containerd.sock");
    keep_snapshot(host, *runtime);
    {
      const UndoLog log(host, journal);
      host.touching(Touch::file, plugin);
    }
    host.write(plugin, "flannel's", 0755);  // as its pod does
    const auto progress = make_progress(ProgressMode::quiet);
    const ResetOptions options;
    ResetContext context =
        context_of(options, host, *progress, journal, HostSnapshot::read(host).value());
    make_cluster_files_step(context)->apply();
    make_undo_step(context)->apply();
    if (of_the_site) {
      CHECK(host.read(plugin) == "the site's");
      CHECK(host.mode(plugin) == 0750);
    } else {
      CHECK_FALSE(host.exists("/opt"));
    }
  }
}

TEST_CASE("mount points with spaces are read") {
  CHECK(mount_points("36 35 98:0 / /mnt/a\\040b\\134c rw,noatime master:1 - ext3 /dev/root rw\n") ==
        std::vector<std::string>{"/mnt/a b\\c"});
}

TEST_CASE("the kubectl configuration goes only while it is admin.conf's copy") {
  const test::TempRoot root;
  test::FakeHost host(root);
  const auto progress = make_progress(ProgressMode::quiet);
  const ResetOptions options;
  auto journal = Journal::open(host.at(node_path::journal));
  for (const char* home : {"/root", "/home/ops"})
    journal.write_undo({{"touch", "file"},
                        {"name", std::string(home) + "/.kube/config"},
                        {"state", "absent"},
                        {"folders", {std::string(home) + "/.kube"}}});
  host.write("/etc/kubernetes/admin.conf", "secret");
  host.write("/root/.kube/config", "secret");
  host.write("/home/ops/.kube/config", "secret, and another cluster");
  ResetContext context = context_of(options, host, *progress, journal, {});
  const auto step = make_kubectl_config_step(context);
  CHECK(step->check().actions == std::vector<std::string>{"remove /root/.kube/config"});
  step->apply();
  CHECK(step->check().state == PhaseState::done);
  CHECK_FALSE(host.exists("/root/.kube/config"));
  // The undo records of both do not take the other's either, but the empty folder.
  const auto undo = make_undo_step(context);
  CHECK(undo->check().actions == std::vector<std::string>{"remove the empty folder /root/.kube"});
  host.answer_ = [](const std::vector<std::string>&) { return CommandResult{0, false, "", ""}; };
  undo->apply();
  CHECK_FALSE(host.exists("/root/.kube"));
  CHECK(host.exists("/home/ops/.kube/config"));
  CHECK(context.notes.size() == 1);
}

TEST_CASE("a snapshot is read as it was written") {
  const test::TempRoot root;
  test::FakeHost host(root);
  host.write("/var/lib/kubelet/a/b", "");
  host.write("/proc/sys/vm/panic_on_oom", "0\n");
  host.answer_ = [](const std::vector<std::string>& argv) {
    return CommandResult{0, false, argv.back() == "-q" ? "one\n" : "", ""};
  };
  host.write("/usr/bin/ctr", "", 0755);
  const auto runtime = make_containerd_pods(host, "/run/x.sock");
  keep_snapshot(host, *runtime);
  const auto kept = HostSnapshot::read(host);
  REQUIRE(kept);
  CHECK(kept->had("/var/lib/kubelet/a/b"));
  CHECK_FALSE(kept->had("/var/lib/kubelet/a/c"));
  CHECK(kept->sysctls.at("vm.panic_on_oom") == "0");
  CHECK(kept->images.contains("one"));
  CHECK(kept->runtime_socket == "/run/x.sock");
  // Once: what an install has done since is not the host's.
  host.write("/var/lib/kubelet/a/c", "");
  keep_snapshot(host, *runtime);
  CHECK_FALSE(HostSnapshot::read(host)->had("/var/lib/kubelet/a/c"));
}
