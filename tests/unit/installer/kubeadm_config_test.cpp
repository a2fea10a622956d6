#include "installer/kubeadm_config.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "installer/yaml_json.hpp"

using namespace kbundle;

namespace {

KubernetesFacts facts(const char* version) {
  return Catalog::builtin().facts(version);
}

KubeadmInputs inputs(const KubernetesFacts& facts) {
  KubeadmInputs result(facts);
  result.node_ip = "10.0.0.5";
  result.node_name = "node-1";
  result.cri_socket = "/run/containerd/containerd.sock";
  result.cgroup_driver = "cgroupfs";
  result.resolv_conf = "/etc/resolv.conf";
  result.pod_subnet = "10.244.0.0/16";
  result.token = "123456.0123456789012345";
  result.certificate_key = std::string(62, '1') + "e5";
  return result;
}

std::vector<Json> rendered(const KubeadmInputs& in) {
  return yaml_documents(render_kubeadm_config(in), "rendered");
}

std::string message_of(const KubeadmInputs& in) {
  try {
    render_kubeadm_config(in);
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::usage);
    return error.message();
  }
  return {};
}

}  // namespace

TEST_CASE("generated strings stay strings") {
  const auto f = facts("v1.18.2");
  const auto text = render_kubeadm_config(inputs(f));
  CHECK(text.find("certificateKey: \"" + std::string(62, '1') + "e5\"") != std::string::npos);
  const auto init = user_document(yaml_documents(text, "t"), "InitConfiguration");
  CHECK(init["bootstrapTokens"][0]["token"] == "123456.0123456789012345");
  CHECK(init["apiVersion"] == "kubeadm.k8s.io/v1beta2");
  CHECK(init["nodeRegistration"]["kubeletExtraArgs"]["node-ip"] == "10.0.0.5");
  const auto kept = kept_secrets(text);
  CHECK(kept.token == "123456.0123456789012345");
  CHECK(kept.certificate_key.size() == 64);
}

TEST_CASE("v1beta4 has lists of arguments") {
  const auto f = facts("v1.34.4");
  auto in = inputs(f);
  in.user_documents = yaml_documents(
      "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nnodeRegistration:\n"
      "  kubeletExtraArgs:\n  - {name: v, value: 3}\n",
      "user");
  const auto init = user_document(rendered(in), "InitConfiguration");
  const Json& registration = init["nodeRegistration"];
  REQUIRE(registration["kubeletExtraArgs"].is_array());
  CHECK(kubelet_extra_arg(registration, "v") == "3");
  CHECK(registration["kubeletExtraArgs"][0]["value"] == "3");
  CHECK(kubelet_extra_arg(registration, "cgroup-driver") == "cgroupfs");
  in.user_documents = yaml_documents(
      "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nnodeRegistration:\n"
      "  kubeletExtraArgs: {v: 3}\n",
      "user");
  CHECK(message_of(in).find("must be a list") != std::string::npos);
}

TEST_CASE("user documents are merged, their values win") {
  const auto f = facts("v1.18.2");
  auto in = inputs(f);
  in.user_documents = yaml_documents(R"(
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
clusterName: site-7
apiServer: {extraArgs: {audit-log-maxage: 30}, certSANs: [api.site]}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failSwapOn: no
evictionHard: {nodefs.available: 1%}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
conntrack: {maxPerCore: 0}
)",
                                     "user");
  in.cert_sans = {"api.site", "10.9.9.9"};
  const auto documents = rendered(in);
  const auto cluster = user_document(documents, "ClusterConfiguration");
  CHECK(cluster["clusterName"] == "site-7");
  CHECK(cluster["kubernetesVersion"] == "v1.18.2");
  CHECK(cluster["apiServer"]["extraArgs"]["audit-log-maxage"] == "30");
  CHECK(cluster["apiServer"]["certSANs"] == Json({"api.site", "10.9.9.9"}));
  const auto kubelet = user_document(documents, "KubeletConfiguration");
  CHECK(kubelet["failSwapOn"] == false);
  CHECK(kubelet["imageGCHighThresholdPercent"] == 100);
  CHECK(user_document(documents, "KubeProxyConfiguration")["conntrack"]["maxPerCore"] == 0);
}

TEST_CASE("contradictions are named") {
  const auto f = facts("v1.18.2");
  auto in = inputs(f);
  const auto with = [&](const std::string& yaml) {
    in.user_documents = yaml_documents(yaml, "user");
    return message_of(in);
  };
  const std::string cluster = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n";
  const std::string init = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\n";
  CHECK(with(cluster + "kubernetesVersion: v1.18.3\n").find("kubernetesVersion") !=
        std::string::npos);
  CHECK(with(cluster + "networking: {podSubnet: 10.1.0.0/16}\n").find("networking.podSubnet") !=
        std::string::npos);
  CHECK(with(cluster + "dns: {imageTag: 1.7.0}\n").find("dns.imageTag") != std::string::npos);
  CHECK(with(init + "localAPIEndpoint: {advertiseAddress: 10.0.0.6}\n").find("10.0.0.6") !=
        std::string::npos);
  CHECK(with(init + "nodeRegistration: {kubeletExtraArgs: {cgroup-driver: systemd}}\n")
            .find("--cgroup-driver=systemd") != std::string::npos);
}

TEST_CASE("documents of another kind or version are refused") {
  const auto f = facts("v1.34.4");
  const auto check = [&](const std::string& yaml, bool worker = false) {
    check_user_documents(yaml_documents(yaml, "user"), f, {.joins = worker, .master = !worker},
                         "user");
  };
  CHECK_THROWS_AS(check("apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n"), Error);
  CHECK_THROWS_AS(check("apiVersion: v1\nkind: Pod\n"), Error);
  CHECK_THROWS_AS(check("kind: ClusterConfiguration\n"), Error);
  CHECK_THROWS_AS(check("[1, 2]\n"), Error);
  CHECK_THROWS_AS(check("apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n", true),
                  Error);
  CHECK_NOTHROW(check("apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n", true));
}

TEST_CASE("settings that the installer does not follow are refused by name") {
  const auto f = facts("v1.34.4");
  const auto message = [&](const std::string& yaml) -> std::string {
    try {
      check_user_documents(yaml_documents("apiVersion: kubeadm.k8s.io/v1beta4\n" + yaml, "user"), f,
                           {}, "user");
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::usage);
      return error.message();
    }
    return {};
  };
  const auto names = [&](const std::string& yaml, const char* name) {
    return message(yaml).find(name) != std::string::npos;
  };
  const std::string init = "kind: InitConfiguration\n";
  const std::string cluster = "kind: ClusterConfiguration\n";
  CHECK(names(init + "localAPIEndpoint: {bindPort: 7443}\n", "localAPIEndpoint.bindPort"));
  CHECK(message(cluster + "etcd: {external: {endpoints: [a]}}\n").empty());
  CHECK(names(cluster + "certificatesDir: /srv/pki\n", "certificatesDir"));
  CHECK(message(init + "localAPIEndpoint: {bindPort: 6443}\n").empty());
  CHECK(message(cluster + "certificatesDir: /etc/kubernetes/pki\netcd: {local: {dataDir: /d}}\n")
            .empty());
}

TEST_CASE("a worker's configuration holds the ticket") {
  const auto f = facts("v1.18.2");
  auto in = inputs(f);
  in.joins = true;
  in.master = false;
  in.ticket.endpoint = "10.0.0.1:6443";
  in.ticket.token = "abcdef.0123456789abcdef";
  in.ticket.ca_cert_hash = "sha256:" + std::string(64, 'a');
  const auto documents = rendered(in);
  REQUIRE(documents.size() == 1);
  const Json& token = documents[0]["discovery"]["bootstrapToken"];
  CHECK(token["apiServerEndpoint"] == "10.0.0.1:6443");
  CHECK(token["caCertHashes"][0] == "sha256:" + std::string(64, 'a'));
}

TEST_CASE("a joining master's configuration holds its own address and the key") {
  const auto f = facts("v1.34.4");
  auto in = inputs(f);
  in.joins = true;
  in.ticket.endpoint = "10.0.0.1:6443";
  in.ticket.token = "abcdef.0123456789abcdef";
  in.ticket.ca_cert_hash = "sha256:" + std::string(64, 'a');
  in.ticket.certificate_key = std::string(64, '7');
  in.schedulable = true;
  auto documents = rendered(in);
  REQUIRE(documents.size() == 1);
  CHECK(documents[0]["controlPlane"]["localAPIEndpoint"]["advertiseAddress"] == "10.0.0.5");
  CHECK(documents[0]["controlPlane"]["certificateKey"] == std::string(64, '7'));
  CHECK(documents[0]["nodeRegistration"]["taints"] == Json::array());
  // The user's document is merged, and a contradiction named.
  const std::string head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n";
  in.user_documents = yaml_documents(
      head +
          "nodeRegistration: {imagePullPolicy: Never}\ncontrolPlane: {localAPIEndpoint: "
          "{advertiseAddress: 10.0.0.5}}\n",
      "user");
  documents = rendered(in);
  CHECK(documents[0]["nodeRegistration"]["imagePullPolicy"] == "Never");
  in.user_documents = yaml_documents(
      head + "controlPlane: {localAPIEndpoint: {advertiseAddress: 10.0.0.6}}\n", "user");
  CHECK(message_of(in).find("10.0.0.6") != std::string::npos);
  in.user_documents = yaml_documents(head + "nodeRegistration: {taints: [{key: a}]}\n", "user");
  CHECK(message_of(in).find("--schedulable") != std::string::npos);
}

TEST_CASE("the cluster's endpoint is always set, and the user's own stays") {
  const auto f = facts("v1.18.2");
  auto in = inputs(f);
  in.control_plane_endpoint = "10.0.0.5:6443";
  const auto endpoint = [&] {
    return user_document(rendered(in), "ClusterConfiguration")["controlPlaneEndpoint"];
  };
  CHECK(endpoint() == "10.0.0.5:6443");
  const std::string head = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n";
  in.user_documents = yaml_documents(head + "controlPlaneEndpoint: api.site\n", "user");
  in.control_plane_endpoint = "api.site:6443";
  CHECK(endpoint() == "api.site");
  in.control_plane_endpoint = "10.0.0.100:6443";
  in.endpoint_wanted = true;
  CHECK(message_of(in).find("api.site") != std::string::npos);
}

TEST_CASE("tokens have kubeadm's form and differ") {
  const auto token = generate_token();
  CHECK(token.size() == 23);
  CHECK(token[6] == '.');
  CHECK(token != generate_token());
  CHECK(generate_certificate_key().size() == 64);
}

TEST_CASE("YAML goes to JSON and back unchanged") {
  const Json value = {
      {"a", {{"list", {1, "1", true, "true", {{"b", Json::array()}, {"c", "x: y"}}}}}},
      {"empty", Json::object()},
      {"on", "off"},
      {"text", "two\nlines \"quoted\" \\ ü"}};
  const auto back = yaml_documents(to_yaml(value), "t");
  REQUIRE(back.size() == 1);
  CHECK(back[0] == value);
  CHECK_THROWS_AS(yaml_documents("a: 1\na: 2\n", "t"), Error);
  CHECK_THROWS_AS(yaml_documents("a: [1,\n", "t"), Error);
}

TEST_CASE("an alias bomb stops at the limit") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) text += ", " + before;
    text += "]\n";
  }
  CHECK_THROWS_AS(yaml_documents(text, "bomb"), Error);
}

TEST_CASE("images are never collected where the runtime cannot keep them") {
  const auto f = facts("v1.18.2");
  auto in = inputs(f);
  const auto threshold = [&in] {
    return kubelet_extra_arg(user_document(rendered(in), "InitConfiguration")["nodeRegistration"],
                             "image-gc-high-threshold");
  };
  CHECK(threshold().empty());
  in.never_collect_images = true;
  CHECK(threshold() == "100");
  in.user_documents = yaml_documents(
      "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
      "imageGCHighThresholdPercent: 70\n",
      "user");
  CHECK(threshold().empty());
}
