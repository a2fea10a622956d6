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

std::vector<EtcdMember> members(std::initializer_list<bool> healthy) {
  std::vector<EtcdMember> result;
  for (const bool answers : healthy)
    result.push_back({"m" + std::to_string(result.size() + 1), answers});
  return result;
}

}  // namespace

TEST_CASE("a member whose leaving would cost the quorum stays") {
  CHECK(quorum_trouble(members({true}), "m1").empty());
  CHECK(quorum_trouble(members({true, true}), "m1").empty());
  CHECK(quorum_trouble(members({true, true, true}), "m1").empty());
  // Three with one dead: two are left of which one answers.
  const auto trouble = quorum_trouble(members({true, true, false}), "m1");
  CHECK(trouble.find("m3 down") != std::string::npos);
  CHECK(trouble.find("1 answer, 2 are needed") != std::string::npos);
  // The dead one itself may go.
  CHECK(quorum_trouble(members({true, true, false}), "m3").empty());
  CHECK_FALSE(quorum_trouble(members({true, false}), "m1").empty());
  CHECK(quorum_trouble(members({true, true, true, true, false}), "m1").empty());
  CHECK_FALSE(quorum_trouble(members({true, true, true, false, false}), "m1").empty());
}

TEST_CASE("etcd's members are read from their pods") {
  const auto found = etcd_members(R"({"items": [
    {"spec": {"nodeName": "m1"}, "status": {"conditions": [
      {"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}]}},
    {"spec": {"nodeName": "m2"}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}},
    {"spec": {"nodeName": "m3"}, "status": {}}]})");
  REQUIRE(found.size() == 3);
  CHECK((found[0].name == "m1" && found[0].healthy));
  CHECK_FALSE(found[1].healthy);
  CHECK_FALSE(found[2].healthy);
  CHECK_THROWS_AS(etcd_members("No resources found"), Error);
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
    ResetContext context{.options = options,
                         .host = host,
                         .progress = *progress,
                         .journal = journal,
                         .snapshot = HostSnapshot::read(host).value(),
                         .runtime = make_containerd_pods(host, "/run/containerd/containerd.sock"),
                         .node_name = "node-1",
                         .pod_networks = {},
                         .notes = {}};
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
  ResetContext context{.options = options,
                       .host = host,
                       .progress = *progress,
                       .journal = journal,
                       .snapshot = {},
                       .runtime = make_containerd_pods(host, "/run/containerd/containerd.sock"),
                       .node_name = "node-1",
                       .pod_networks = {},
                       .notes = {}};
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
