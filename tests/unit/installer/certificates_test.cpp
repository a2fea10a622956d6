// Until when a node's certificates hold.
#include "installer/certificates.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/installer/credentials.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;
using std::chrono::system_clock;

TEST_CASE("days left are whole days, and negative past the end") {
  const auto now = system_clock::now();
  CHECK(days_left(now + std::chrono::hours(49), now) == 2);
  CHECK(days_left(now + std::chrono::hours(1), now) == 0);
  CHECK(days_left(now - std::chrono::hours(1), now) == -1);
}

TEST_CASE("the certificates of a node, wherever they lie") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  constexpr long kDay = 24 * 3600;
  const auto year = test::make_credentials(nullptr, 365 * kDay);
  const auto week = test::make_credentials(nullptr, 7 * kDay);
  const auto past = test::make_credentials(nullptr, -kDay);
  host.write("/etc/kubernetes/pki/ca.crt", year.certificate);
  host.write("/etc/kubernetes/pki/apiserver.crt", week.certificate);
  host.write("/etc/kubernetes/pki/etcd/peer.crt",
             year.certificate.substr(0, year.certificate.size() / 2));
  host.write("/etc/kubernetes/admin.conf",
             test::kubeconfig(year.certificate, test::user_data(past)));
  // After kubelet-finalize the kubelet's file points to where its certificate is renewed.
  host.write("/var/lib/kubelet/pki/kubelet-client-current.pem", year.certificate + year.key);
  host.write("/etc/kubernetes/kubelet.conf",
             test::kubeconfig(year.certificate,
                              "    client-certificate: "
                              "/var/lib/kubelet/pki/kubelet-client-current.pem\n    client-key: "
                              "/var/lib/kubelet/pki/kubelet-client-current.pem\n"));

  const auto found = node_certificates(host);
  std::vector<std::string> names;
  for (const auto& certificate : found) names.push_back(certificate.name);
  REQUIRE(names ==
          std::vector<std::string>{"admin.conf", "apiserver", "etcd-peer", "kubelet.conf", "ca"});
  const auto now = system_clock::now();
  REQUIRE(found[0].facts);
  CHECK(days_left(found[0].facts->not_after, now) < 0);
  CHECK(found[0].facts->subject == "CN=me");
  REQUIRE(found[1].facts);
  CHECK(days_left(found[1].facts->not_after, now) == 6);
  CHECK_FALSE(found[2].facts);  // cut in the middle
  REQUIRE(found[3].facts);
  CHECK(found[3].kind == NodeCertificate::Kind::kubelet);
  REQUIRE(soonest(found) != nullptr);
  CHECK(soonest(found)->name == "admin.conf");
}
