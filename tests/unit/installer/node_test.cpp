// What is read from the node's files: resolvers, routes, ports, kubeadm's files, tickets.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/checks/ports.hpp"
#include "installer/cni_edit.hpp"
#include "installer/context.hpp"
#include "installer/kubeadm_files.hpp"
#include "tests/unit/installer/credentials.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;
using test::kubeconfig;
using test::make_credentials;
using test::user_data;

namespace {

bool lists(const std::vector<std::string>& files, const std::string& file) {
  return std::find(files.begin(), files.end(), file) != files.end();
}

}  // namespace

TEST_CASE("the kubelet's resolver is one that pods can use") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  SECTION("a real nameserver") {
    host.write("/etc/resolv.conf", "nameserver 10.0.0.2\n");
    const auto choice = choose_resolver(host, "");
    CHECK(choice.path == "/etc/resolv.conf");
    CHECK_FALSE(choice.own_file);
  }
  SECTION("systemd-resolved's stub") {
    host.write("/etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0\n");
    host.write("/run/systemd/resolve/resolv.conf", "nameserver 10.0.0.2\n");
    CHECK(choose_resolver(host, "").path == "/run/systemd/resolve/resolv.conf");
  }
  SECTION("the stub with nothing behind it") {
    host.write("/etc/resolv.conf", "nameserver 127.0.0.53\n");
    host.write("/run/systemd/resolve/resolv.conf", "# none\n");
    CHECK(choose_resolver(host, "").no_nameserver);
  }
  SECTION("another loopback resolver") {
    host.write("/etc/resolv.conf", "search site\nnameserver 127.0.0.11\n");
    const auto choice = choose_resolver(host, "");
    CHECK(choice.own_file);
    CHECK(choice.no_nameserver);
    CHECK(choice.content.find("search site") != std::string::npos);
    CHECK(choice.content.find("nameserver") == std::string::npos);
  }
  SECTION("loopback beside a real one") {
    host.write("/etc/resolv.conf", "nameserver 127.0.0.1\nnameserver 10.0.0.2\n");
    const auto choice = choose_resolver(host, "");
    CHECK(choice.own_file);
    CHECK_FALSE(choice.no_nameserver);
    CHECK(nameservers(choice.content) == std::vector<std::string>{"10.0.0.2"});
  }
  SECTION("empty or absent") {
    CHECK(choose_resolver(host, "").no_nameserver);
  }
  SECTION("the user's own") {
    host.write("/etc/site-resolv.conf", "nameserver 10.0.0.9\n");
    const auto choice = choose_resolver(host, "/etc/site-resolv.conf");
    CHECK(choice.path == "/etc/site-resolv.conf");
    CHECK(choice.trouble.empty());
    host.write("/etc/site-resolv.conf", "nameserver 127.0.0.1\n");
    CHECK_FALSE(choose_resolver(host, "/etc/site-resolv.conf").trouble.empty());
    CHECK_FALSE(choose_resolver(host, "/etc/absent").trouble.empty());
  }
  SECTION("the machine itself, by its other names, and an interface's own address") {
    host.write("/etc/resolv.conf", "nameserver 0.0.0.0\nnameserver fe80::1%eth0\n");
    CHECK(choose_resolver(host, "").no_nameserver);
  }
}

TEST_CASE("the forward plugin leaves the Corefile alone or with its block") {
  CHECK(without_forward(".:53 {\n    errors\n    forward . /etc/resolv.conf\n    cache 30\n}\n") ==
        ".:53 {\n    errors\n    cache 30\n}\n");
  CHECK(without_forward(".:53 {\n    forward . /etc/resolv.conf {\n       max_concurrent 1000\n    "
                        "}\n    loop\n}\n") == ".:53 {\n    loop\n}\n");
  const std::string other = ".:53 {\n    forward . 10.0.0.2\n}\n";
  CHECK(without_forward(other) == other);
}

TEST_CASE("the default route and the node's address") {
  const std::string header =
      "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n";
  CHECK(default_route_interface(
            header + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n") == "eth0");
  CHECK_FALSE(default_route_interface(
      header + "eth0\t000A4D0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"));

  const test::TempRoot root;
  test::FakeHost host(root);
  CHECK(find_node_network(host, "").node_ip == "10.0.0.5");
  host.addresses_.push_back({"eth1", "10.1.0.5", 24, false});
  CHECK(find_node_network(host, "").node_ip.empty());
  const auto chosen = find_node_network(host, "10.1.0.5");
  CHECK(chosen.interface == "eth1");
  CHECK(chosen.must_name_interface());
  CHECK(find_node_network(host, "10.9.0.1").interface.empty());
  CHECK(is_container_interface("veth12"));
  CHECK_FALSE(is_container_interface("eno1"));
  CHECK(is_cidr("10.96.0.0/12"));
  CHECK_FALSE(is_cidr("10.96.0.0"));
  CHECK_FALSE(is_cidr("10.96.0.0/33"));
}

TEST_CASE("listening ports and who has them") {
  const auto ports = listening_ports(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"
      "   0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
      "4711 1 0 100 0 0 10 0\n"
      "   1: 0100007F:0050 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 "
      "4712 1 0 20 4 30 10 -1\n");
  REQUIRE(ports.size() == 1);
  CHECK(ports.at(6443) == 4711);
  const test::TempRoot root;
  const test::FakeHost host(root);
  std::filesystem::create_directories(root.path() / "proc/42/fd");
  std::filesystem::create_symlink("socket:[4711]", root.path() / "proc/42/fd/3");
  host.write("/proc/42/comm", "kube-apiserver\n");
  CHECK(socket_owner(host, 4711) == "kube-apiserver (process 42)");
  CHECK(socket_owner(host, 99) == "an unknown process");
}

TEST_CASE("flannel gets the node's interface and the pod network, nothing else changes") {
  const std::string manifest =
      "  net-conf.json: |\n    {\n      \"Network\": \"10.244.0.0/16\"\n    }\n"
      "        args:\n        - --ip-masq\n        - --kube-subnet-mgr\n"
      "        env:\n        - name: POD_NAME\n          valueFrom: {}\n";
  CHECK(edit_flannel(manifest, {}) == manifest);
  const auto edited = edit_flannel(manifest, {"10.1.0.0/16", true});
  CHECK(edited.find("\"Network\": \"10.1.0.0/16\"") != std::string::npos);
  CHECK(edited.find("        - --kube-subnet-mgr\n        - --iface=$(HOST_IP)\n") !=
        std::string::npos);
  CHECK(edited.find("        - name: HOST_IP\n          valueFrom:\n            fieldRef:\n"
                    "              fieldPath: status.hostIP\n        - name: POD_NAME\n") !=
        std::string::npos);
  CHECK_THROWS_AS(edit_flannel("a: b\n", {"", true}), Error);
}

TEST_CASE("a join ticket survives the way, and only whole ones are taken") {
  JoinTicket ticket;
  ticket.endpoint = "10.0.0.5:6443";
  ticket.token = "abcdef.0123456789abcdef";
  ticket.ca_cert_hash = "sha256:" + std::string(64, 'a');
  ticket.kubernetes_version = "v1.18.2";
  ticket.bundle = "sha256:" + std::string(64, 'b');
  ticket.created = "2026-01-01T00:00:00Z";
  ticket.expires = "2026-01-02T00:00:00Z";
  CHECK(JoinTicket::parse(ticket.serialize(), "a worker's").certificate_key.empty());
  ticket.certificate_key = std::string(64, '0');
  ticket.certificate_key_expires = "2026-01-01T02:00:00Z";
  ticket.vip = "10.0.0.100";
  ticket.external_etcd = true;
  ticket.external_etcd_files = {"/etc/site/etcd.crt"};
  const auto back = JoinTicket::parse(ticket.serialize(), "ticket");
  CHECK(back.serialize() == ticket.serialize());
  CHECK(back.certificate_key == ticket.certificate_key);
  CHECK(back.vip == ticket.vip);
  CHECK(back.external_etcd);
  CHECK(back.external_etcd_files == ticket.external_etcd_files);
  const std::string text = ticket.serialize();
  CHECK_THROWS_AS(JoinTicket::parse(text.substr(0, text.size() / 2), "ticket"), Error);
  for (auto spoil :
       {+[](JoinTicket& t) { t.endpoint = "no-port"; }, +[](JoinTicket& t) { t.token = "x"; },
        +[](JoinTicket& t) { t.ca_cert_hash = "sha256:12"; },
        +[](JoinTicket& t) { t.certificate_key.pop_back(); }, +[](JoinTicket& t) { t.vip = "x"; },
        +[](JoinTicket& t) { t.certificate_key_expires = "soon"; },
        +[](JoinTicket& t) { t.expires = "tomorrow"; }}) {
    JoinTicket bad = ticket;
    spoil(bad);
    CHECK_THROWS_AS(JoinTicket::parse(bad.serialize(), "ticket"), Error);
  }
}

TEST_CASE("cut manifests and configurations are found") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  const std::string pod =
      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: etcd\nspec:\n  containers:\n  - name: etcd\n"
      "    image: etcd:1\n    volumeMounts:\n    - {mountPath: /a, name: data}\n    - {mountPath: "
      "/b, name: certs}\n"
      "  volumes:\n  - hostPath: {path: /b}\n    name: certs\n  - hostPath: {path: /a}\n    name: "
      "data\nstatus: {}\n";
  const std::string file = "/etc/kubernetes/manifests/etcd.yaml";
  CHECK(check_manifests(host, {"etcd"}).missing == std::vector<std::string>{file});
  host.write(file, pod);
  CHECK(check_manifests(host, {"etcd"}).good());
  // The last volume's name ends what must be there.
  const auto needed = pod.find("status");
  for (std::size_t size = 0; size < needed - 1; ++size) {
    host.write(file, pod.substr(0, size));
    CHECK(check_manifests(host, {"etcd"}).broken == std::vector<std::string>{file});
  }
  host.write("/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n");
  host.write("/var/lib/kubelet/kubeadm-flags.env", "KUBELET_KUBEADM_ARGS=\"--a=b\"\n");
  CHECK(check_kubelet_files(host).good());
  host.write("/var/lib/kubelet/kubeadm-flags.env", "KUBELET_KUBEADM_ARGS=\"--a");
  CHECK(check_kubelet_files(host).broken.size() == 1);
}

TEST_CASE("cut kubeconfigs are found, and keys of another certificate") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  const auto ca = make_credentials();
  const auto user = make_credentials();
  host.write("/etc/kubernetes/pki/ca.crt", ca.certificate);
  const std::string good = kubeconfig(ca.certificate, user_data(user));
  for (const char* name : {"admin", "kubelet", "controller-manager", "scheduler"})
    host.write("/etc/kubernetes/" + std::string(name) + ".conf", good);
  const std::vector<std::string> names = {"admin", "kubelet", "controller-manager", "scheduler"};
  CHECK(check_kubeconfigs(host, names).good());
  const std::string file = "/etc/kubernetes/admin.conf";
  const auto broken = [&](const std::string& text) {
    host.write(file, text);
    return check_kubeconfigs(host, names).broken == std::vector<std::string>{file};
  };
  for (std::size_t size = 0; size < good.size(); size += size + 40 < good.size() ? 7 : 1) {
    INFO(size);
    CHECK(broken(good.substr(0, size)));
    CHECK(broken(good.substr(0, size / 2) + "\n"));
  }
  CHECK(broken(kubeconfig(user.certificate, user_data(user))));
  CHECK(broken(kubeconfig(ca.certificate, user_data({ca.certificate, user.key}))));
  CHECK(broken(kubeconfig(ca.certificate, "    token: abc\n")));
  CHECK(broken(kubeconfig(ca.certificate, user_data(make_credentials("word")))));
  const std::string pem = "/var/lib/kubelet/pki/kubelet-client-current.pem";
  const std::string by_path = kubeconfig(
      ca.certificate, "    client-certificate: " + pem + "\n    client-key: " + pem + "\n");
  CHECK(broken(by_path));  // no such file
  host.write(pem, user.certificate + user.key);
  CHECK_FALSE(broken(by_path));
  host.write(pem, user.certificate);
  CHECK(broken(by_path));
}

TEST_CASE("a worker has its credentials and the ticket's CA") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  const auto ca = make_credentials();
  const std::string conf = "/etc/kubernetes/kubelet.conf";
  const std::string authority = "/etc/kubernetes/pki/ca.crt";
  const std::string hash = ca_cert_hash(ca.certificate);
  host.write("/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n");
  host.write("/var/lib/kubelet/kubeadm-flags.env", "KUBELET_KUBEADM_ARGS=\"--a=b\"\n");
  CHECK(check_worker(host, hash).missing == std::vector<std::string>{conf});
  host.write(conf, kubeconfig(ca.certificate, user_data(make_credentials())));
  host.write(authority, ca.certificate);
  CHECK(check_worker(host, hash).good());
  host.write(authority, "");
  CHECK(check_worker(host, hash).broken == std::vector<std::string>{authority});
  host.write(authority, make_credentials().certificate);
  CHECK(check_worker(host, hash).broken == std::vector<std::string>{authority});

  const std::string bootstrap = "/etc/kubernetes/bootstrap-kubelet.conf";
  const std::string token = kubeconfig(ca.certificate, "    token: abcdef.0123456789abcdef\n");
  CHECK_FALSE(kubeconfig_token(host, bootstrap));
  host.write(bootstrap, token);
  CHECK(kubeconfig_token(host, bootstrap) == "abcdef.0123456789abcdef");
  host.write(bootstrap, token.substr(0, token.size() - 4));
  CHECK_FALSE(kubeconfig_token(host, bootstrap));
}

TEST_CASE("CAs and the service account's key are what a cluster is known by") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  const std::string pki = "/etc/kubernetes/pki/";
  const auto ca = make_credentials();
  host.write(pki + "ca.crt", ca.certificate);
  host.write(pki + "ca.key", make_credentials("word").key);  // never asks for it
  host.write(pki + "sa.key", "");
  const auto state = check_certificates(host);
  CHECK(state.ca_broken);
  CHECK(state.identity_broken == std::vector<std::string>{pki + "ca.key", pki + "sa.key"});
  CHECK(lists(state.identity_missing, pki + "etcd/ca.crt"));
  CHECK_FALSE(lists(state.identity_missing, pki + "apiserver.crt"));
  CHECK_FALSE(lists(state.identity_missing, pki + "sa.pub"));
}
