// The runtime phase on a host whose containerd is played: it ends with an answer of the CRI plugin
// or with the old configuration.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/coherence.hpp"
#include "installer/context.hpp"
#include "installer/runtimes/containerd_files.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

constexpr const char* kSite =
    "version = 2\n# mine\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"x\"\n";

struct PlayedNode {
  explicit PlayedNode(const InstallOptions& options_) : options(options_), host(root) {
    inventory.platforms = {Platform::parse("linux/amd64")};
    host.write("/proc/sys/kernel/hostname", "node\n");
    host.write("/etc/resolv.conf", "nameserver 10.0.0.2\n");
    for (const char* program : {"/usr/bin/containerd", "/usr/bin/ctr"})
      host.write(program, "", 0755);
    host.write("/usr/lib/systemd/system/containerd.service", "");
    host.write(kContainerdConfig, kSite);
    host.answer_ = [this](const std::vector<std::string>& argv) { return answer(argv); };
    progress = make_progress(ProgressMode::quiet);
    context = std::make_unique<Context>(options, inventory, nullptr,
                                        Catalog::builtin().facts("v1.18.2"), host, *progress);
    resolve_context(*context);
  }

  CommandResult answer(const std::vector<std::string>& argv) {
    const std::string command = to_shell(argv);
    const auto has = [&](const char* words) { return command.find(words) != std::string::npos; };
    if (has("--version")) return {0, false, "containerd x v1.6.20 y\n", ""};
    if (has("config dump")) return {0, false, *host.read(kContainerdConfig), ""};
    if (has("plugins ls -d")) return {0, false, "Error:\n   Message:  refused by the plugin\n", ""};
    if (has("plugins ls")) {
      const bool ours = host.read(kContainerdConfig) != kSite;
      const std::string state = ours && refuses ? "error" : "ok";
      return {0, false, "io.containerd.grpc.v1 cri linux/amd64 " + state + "\n", ""};
    }
    if (has("restart containerd")) ++restarts;
    if (has("namespaces ls")) return {0, false, "k8s.io\nmoby\n", ""};
    if (has("-n moby tasks ls")) return {0, false, others ? "0123\n" : "", ""};
    return {0, false, "", ""};
  }

  InstallOptions options;
  test::TempRoot root;
  test::FakeHost host;
  Inventory inventory;
  std::unique_ptr<Progress> progress;
  std::unique_ptr<Context> context;
  bool refuses = false;  ///< the CRI plugin, with a configuration that is not the site's
  bool others = false;   ///< a container of Docker runs
  int restarts = 0;
};

}  // namespace

TEST_CASE("containerd is restarted with what the cluster needs, and that is confirmed") {
  PlayedNode node({});
  REQUIRE(node.context->runtime->check().state == PhaseState::todo);
  node.context->runtime->ensure();
  CHECK(node.restarts == 1);
  CHECK_FALSE(ContainerdChange(node.host).open());
  CHECK(node.context->runtime->sandbox_image() == "k8s.gcr.io/pause:3.2");
  CHECK(node.context->runtime->check().state == PhaseState::done);
  node.context->runtime->ensure();
  CHECK(node.restarts == 1);
}

TEST_CASE("a configuration that the CRI plugin refuses is taken back, with its words") {
  PlayedNode node({});
  node.refuses = true;
  CHECK_THROWS_WITH(node.context->runtime->ensure(),
                    Catch::Contains("refused by the plugin") &&
                        Catch::Contains("the old one is back in place (containerd was restarted"));
  CHECK(node.host.read(kContainerdConfig) == kSite);
  CHECK(node.restarts == 2);
  CHECK_FALSE(ContainerdChange(node.host).open());
}

TEST_CASE("a file of a version that this containerd does not read is a conflict") {
  PlayedNode node({});
  node.host.write(kContainerdConfig, "version = 3\n");
  const auto check = node.context->runtime->check();
  CHECK(check.state == PhaseState::conflict);
  CHECK(check.reason.find("version 3, which containerd 1.6.20") != std::string::npos);
}

TEST_CASE("a run that was killed between writing and restarting is taken up") {
  PlayedNode node({});
  ContainerdChange(node.host).write(
      merge_containerd_config(read_containerd_files(node.host, false),
                              {.sandbox_image = "k8s.gcr.io/pause:3.2",
                               .registry_config_path = "/etc/containerd/certs.d"}));
  REQUIRE(node.context->runtime->check().state == PhaseState::todo);
  SECTION("and ends well") {
    node.context->runtime->ensure();
    CHECK(node.restarts == 1);
    CHECK(node.context->runtime->check().state == PhaseState::done);
  }
  SECTION("and is taken back") {
    node.refuses = true;
    CHECK_THROWS_AS(node.context->runtime->ensure(), Error);
    CHECK(node.host.read(kContainerdConfig) == kSite);
  }
}

TEST_CASE("containers of others forbid a restart, and a convenience is not worth one") {
  InstallOptions options;
  SECTION("without --restart-runtime") {
    PlayedNode node(options);
    node.others = true;
    const auto check = node.context->runtime->check();
    CHECK(check.state == PhaseState::conflict);
    CHECK(check.reason.find("namespace moby") != std::string::npos);
    node.host.write(kContainerdConfig,
                    "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n"
                    "  sandbox_image = \"k8s.gcr.io/pause:3.2\"\n");
    CHECK(node.context->runtime->check().state == PhaseState::done);
  }
  SECTION("with it") {
    options.restart_runtime = true;
    PlayedNode node(options);
    node.others = true;
    CHECK(node.context->runtime->check().state == PhaseState::todo);
  }
}

TEST_CASE("the gate names what is missing") {
  PlayedNode node({});
  node.context->runtime->ensure();
  const auto found = incoherences(*node.context);
  const auto says = [&](const std::string& words) {
    return std::any_of(found.begin(), found.end(), [&](const std::string& line) {
      return line.find(words) != std::string::npos;
    });
  };
  CHECK(says("k8s.gcr.io/pause:3.2 is not in containerd"));
  CHECK(says("CRI socket: /run/containerd/containerd.sock is not there"));
  CHECK_FALSE(says("cgroup driver"));
  node.host.write("/var/lib/kubelet/config.yaml",
                  "kind: KubeletConfiguration\ncgroupDriver: systemd\n");
  CHECK_FALSE(incoherences(*node.context).size() == found.size());
  // The node's own flag wins over the file that all nodes share.
  node.host.write("/var/lib/kubelet/kubeadm-flags.env",
                  "KUBELET_KUBEADM_ARGS=\"--cgroup-driver=cgroupfs\"\n");
  CHECK(incoherences(*node.context).size() == found.size());
}
