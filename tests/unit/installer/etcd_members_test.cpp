#include "installer/etcd_members.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "installer/join_secrets.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

TEST_CASE("etcd's list of members is read, of those that never started as well") {
  const auto members = parse_etcd_peers(
      R"({"header":{"cluster_id":"1","member_id":"2"},"members":[
          {"ID":"9372538179322589801","name":"m1","peerURLs":["https://10.0.0.1:2380"],
           "clientURLs":["https://10.0.0.1:2379"]},
          {"ID":"17","peerURLs":["https://[fd00::2]:2380"],"isLearner":true}]})");
  REQUIRE(members.size() == 2);
  CHECK(members[0].started());
  CHECK(members[0].id == "9372538179322589801");
  CHECK_FALSE(members[1].started());
  CHECK(members[1].learner);
  CHECK(etcd_address(members[0].peer_url) == "10.0.0.1");
  CHECK(etcd_address(members[1].peer_url) == "fd00::2");
  CHECK(etcd_peer_url("fd00::2") == members[1].peer_url);
  CHECK_THROWS_AS(parse_etcd_peers("404 page not found"), Error);
  CHECK_THROWS_AS(parse_etcd_peers(R"({"members":[{"ID":1,"peerURLs":[1]}]})"), Error);
  CHECK_THROWS_AS(parse_etcd_peers(R"({"members":[{"ID":"m1","peerURLs":[]}]})"), Error);
}

TEST_CASE("an endpoint of etcd is read") {
  const auto v6 = EtcdEndpoint::parse("https://[fd00::2]:2379/");
  CHECK((v6.tls && v6.host == "fd00::2" && v6.port == 2379));
  const auto name = EtcdEndpoint::parse("http://etcd.site:4001");
  CHECK((!name.tls && name.host == "etcd.site" && name.port == 4001));
  for (const char* bad : {"10.0.0.9:2379", "https://", "https://a:0", "https://a:99999",
                          "https://a:2379/v3", "https://a b:2379", "unix:///run/etcd"})
    CHECK_THROWS_AS(EtcdEndpoint::parse(bad), Error);
}

TEST_CASE("an etcd that is not there is a trouble, not an exception") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  const EtcdClient etcd(host, EtcdCredentials::of_kubeadm());
  CHECK(etcd_trouble(etcd, "https://127.0.0.1:1") == "Connection refused");
  CHECK(etcd_trouble(etcd, "https://no.such.name:1").find("does not resolve") != std::string::npos);
  CHECK_FALSE(etcd_peers(etcd, "https://127.0.0.1:1"));
}

TEST_CASE("a joining member's static pod is the other's with its own name and addresses") {
  const Json other = Json::parse(R"({
    "metadata": {"name": "etcd-m1", "uid": "u", "labels": {"component": "etcd"},
      "annotations": {"kubernetes.io/config.hash": "h",
        "kubeadm.kubernetes.io/etcd.advertise-client-urls": "https://10.0.0.1:2379"}},
    "spec": {"nodeName": "m1", "hostNetwork": true, "priorityClassName": "system-node-critical",
      "tolerations": [{"operator": "Exists"}],
      "containers": [{"name": "etcd", "image": "k8s.gcr.io/etcd:3.4.3-0",
        "terminationMessagePath": "/dev/termination-log",
        "command": ["etcd", "--advertise-client-urls=https://10.0.0.1:2379",
          "--initial-cluster=m1=https://10.0.0.1:2380", "--name=m1",
          "--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.1:2379",
          "--data-dir=/var/lib/etcd"],
        "volumeMounts": [{"name": "etcd-data", "mountPath": "/var/lib/etcd"}]}],
      "volumes": [{"name": "etcd-data", "hostPath": {"path": "/var/lib/etcd"}}]},
    "status": {"hostIP": "10.0.0.1"}})");
  const std::vector<EtcdPeer> members = {{"1", "m1", "https://10.0.0.1:2380", false},
                                         {"", "", "https://10.0.0.2:2380", false},
                                         {"3", "", "https://10.0.0.3:2380", false}};
  const Json pod = joining_etcd_pod(other, "10.0.0.1", "10.0.0.2", "m2", members);
  CHECK(pod["metadata"]["name"] == "etcd");
  CHECK(pod["metadata"]["annotations"] ==
        Json{{"kubeadm.kubernetes.io/etcd.advertise-client-urls", "https://10.0.0.2:2379"}});
  CHECK_FALSE(pod["spec"].contains("nodeName"));
  CHECK(
      pod["spec"]["containers"][0]["command"] ==
      Json::array({"etcd", "--advertise-client-urls=https://10.0.0.2:2379",
                   "--initial-cluster=m1=https://10.0.0.1:2380,m2=https://10.0.0.2:2380,"
                   "3=https://10.0.0.3:2380",
                   "--name=m2", "--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.2:2379",
                   "--data-dir=/var/lib/etcd", "--initial-cluster-state=existing"}));
  CHECK(pod["spec"]["volumes"] == other["spec"]["volumes"]);
}

TEST_CASE("a ticket's life is a time of a minute or more") {
  CHECK(parse_duration("24h", "--ttl") == std::chrono::hours(24));
  CHECK(parse_duration("1h30m", "--ttl") == std::chrono::minutes(90));
  for (const char* bad : {"", "24", "h", "-1h", "30s", "1d", "1h2", "99999999999999h"})
    CHECK_THROWS_AS(parse_duration(bad, "--ttl"), Error);
}
