// The whole plan against a node in a temporary folder, without a bundle's bytes.
#include <catch2/catch.hpp>
#include <sstream>

#include "core/error.hpp"
#include "installer/checks/preflight.hpp"
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

TEST_CASE("an image repository renames what the node asks for") {
  InstallOptions options;
  options.image_repository = "registry.site/k8s";
  Node node(options);
  CHECK(node.context->pause_image() == "registry.site/k8s/pause:3.2");
  CHECK(node.context->names_on_node(node.inventory.images[0]) ==
        std::vector<std::string>{"k8s.gcr.io/pause:3.2", "registry.site/k8s/pause:3.2"});
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

TEST_CASE("a clock before the bundle is refused") {
  InstallOptions options;
  Node node(options);
  node.inventory.created = "2199-01-01T00:00:00Z";
  CHECK(has(preflight(*node.context), "Clock", Finding::Severity::error));
}
