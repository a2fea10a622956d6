// What `status` makes of a node's files.
#include "installer/status/status.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/status/checks.hpp"
#include "tests/unit/installer/credentials.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;
using State = StatusLine::State;
using std::chrono::system_clock;

namespace {

NodeCertificate certificate(const std::string& name, system_clock::time_point from,
                            system_clock::time_point to) {
  return {name, "/" + name, NodeCertificate::Kind::leaf,
          CertificateFacts{"CN=x", "CN=y", from, to}};
}

Receipt receipt_with(const Receipt::File& file) {
  Receipt receipt;
  receipt.kubernetes_version = "v1.18.2";
  receipt.cni = "none";
  receipt.role = "worker";
  receipt.node_name = "node";
  receipt.runtime = "containerd";
  receipt.files = {file};
  return receipt;
}

}  // namespace

TEST_CASE("the kubelet's two files say whether it bears swap, and which resolver it uses") {
  CHECK_FALSE(kubelet_tolerates_swap("kind: KubeletConfiguration\n", "KUBELET_KUBEADM_ARGS=\"\""));
  CHECK(kubelet_tolerates_swap("failSwapOn: false\n", ""));
  CHECK(kubelet_tolerates_swap("failSwapOn: true\n",
                               "KUBELET_KUBEADM_ARGS=\"--x=y --fail-swap-on=false\"\n"));
  CHECK_FALSE(kubelet_tolerates_swap("failSwapOn: false\n",
                                     "KUBELET_KUBEADM_ARGS=\"--fail-swap-on=true\"\n"));
  CHECK(kubelet_resolver("resolvConf: /run/a\n", "") == "/run/a");
  CHECK(kubelet_resolver("resolvConf: /run/a\n",
                         "KUBELET_KUBEADM_ARGS=\"--resolv-conf=/run/b --x\"") == "/run/b");
  CHECK(kubelet_resolver("cut: [", "") == "/etc/resolv.conf");
}

TEST_CASE("certificates: ended, ending, not yet, and all well") {
  const auto now = system_clock::now();
  const auto day = std::chrono::hours(24);
  const auto lines = status_of_certificates(
      {certificate("a", now - day, now + 365 * day), certificate("b", now - day, now + 20 * day),
       certificate("c", now - 2 * day, now - day), certificate("d", now + day, now + 365 * day)},
      now);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].state == State::warning);
  CHECK(lines[0].what.starts_with("b ends on"));
  CHECK(lines[1].state == State::error);
  CHECK(lines[1].what.starts_with("c ended on"));
  CHECK(lines[2].state == State::error);
  CHECK(lines[2].what.starts_with("d is not valid before"));
  const auto well = status_of_certificates(
      {certificate("a", now - day, now + 40 * day), certificate("b", now - day, now + 365 * day)},
      now);
  REQUIRE(well.size() == 1);
  CHECK(well[0].state == State::ok);
  CHECK(well[0].what.find("first to end is a") != std::string::npos);
}

TEST_CASE("a program is compared by content and permissions") {
  const test::TempRoot root;
  test::FakeHost host(root);
  const auto progress = make_progress(ProgressMode::quiet);
  const Journal journal = Journal::look(host.at("/nowhere"));
  host.write("/usr/bin/kubeadm", "program", 0755);
  const InstalledNode node(
      receipt_with({"/usr/bin/kubeadm", sha256("program"), "kubeadm", "v1.18.2", 0755}), host,
      *progress, journal);
  const auto only = [&] {
    const auto lines = status_of_programs(node);
    REQUIRE(lines.size() == 1);
    return lines.front();
  };
  CHECK(only().state == State::ok);
  std::filesystem::permissions(host.at("/usr/bin/kubeadm"), std::filesystem::perms(0700));
  CHECK(only().what.find("permissions") != std::string::npos);
  host.write("/usr/bin/kubeadm", "progrAm", 0755);
  CHECK(only().what.find("is not as installed") != std::string::npos);
  host.remove("/usr/bin/kubeadm");
  CHECK(only().state == State::error);
  CHECK(only().what == "/usr/bin/kubeadm is gone");
}

TEST_CASE("status of a host without an install, and of one that stopped") {
  const test::TempRoot root;
  test::FakeHost host(root);
  const auto progress = make_progress(ProgressMode::quiet);
  REQUIRE_THROWS_AS(look_at_status(host, *progress), Error);
  {
    Journal journal = Journal::open(host.at(node_path::journal));
    PlanRecord plan;
    plan.role = "master";
    plan.overrides["node-ip"] = "10.0.0.5";
    journal.write_plan(plan);
    journal.begin("images");
  }
  const NodeStatus now = look_at_status(host, *progress);
  CHECK_FALSE(now.healthy());
  REQUIRE(now.lines.size() == 1);
  CHECK(now.lines[0].what.find("stopped in phase images") != std::string::npos);
  CHECK(now.lines[0].next == "kbundle install BUNDLE --role master --node-ip 10.0.0.5");
}

TEST_CASE("the table keeps to 80 columns") {
  NodeStatus now;
  now.lines = {good("programs", std::string(30, 'a') + " " + std::string(40, 'b')),
               bad("images", "k8s.gcr.io/pause:3.2: not there", "kbundle repair BUNDLE")};
  for (const std::string& line : split(now.table(), '\n')) CHECK(line.size() <= 80);
  CHECK(now.table().find("next: kbundle repair BUNDLE") != std::string::npos);
  CHECK(now.json()["checks"][1]["state"] == "error");
}
