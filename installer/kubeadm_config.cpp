#include "installer/kubeadm_config.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr const char* kKubelet = "KubeletConfiguration";
constexpr const char* kProxy = "KubeProxyConfiguration";

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Sets object[path] to `wanted`, unless the user has the same; a different one is a contradiction.
void require(Json& document, std::initializer_list<const char*> path, const Json& wanted,
             const std::string& because) {
  Json* at = &document;
  std::string name;
  for (const char* key : path) {
    if (!at->is_object() && !at->is_null())
      throw Error(ExitCode::usage, "in the kubeadm configuration, " + name + " is not a map");
    at = &(*at)[key];
    name += (name.empty() ? "" : ".") + std::string(key);
  }
  if (!at->is_null() && *at != wanted)
    throw Error(ExitCode::usage,
                "the kubeadm configuration sets " + document.value("kind", "") + " " + name +
                    " to \"" + printable(text_of(*at)) + "\", but it must be \"" + text_of(wanted) +
                    "\": " + because,
                "take the value out of the file given by --config, or change the option");
  *at = wanted;
}

void set_default(Json& object, const char* key, const Json& value) {
  if (!object.contains(key) || object[key].is_null()) object[key] = value;
}

// The user's value of an extra argument, nullptr when absent. Lists: {name, value} items.
Json* find_arg(Json& arguments, const std::string& name) {
  if (arguments.is_object()) {
    const auto found = arguments.find(name);
    return found == arguments.end() ? nullptr : &*found;
  }
  if (arguments.is_array()) {
    for (Json& item : arguments)
      if (item.is_object() && item.value("name", "") == name) return &item["value"];
  }
  return nullptr;
}

struct ExtraArgs {
  Json& arguments;
  bool as_list;

  void add(const std::string& name, const std::string& value) const {
    if (as_list) {
      arguments.push_back({{"name", name}, {"value", value}});
    } else {
      arguments[name] = value;
    }
  }
  void set_default(const std::string& name, const std::string& value) const {
    if (find_arg(arguments, name) == nullptr) add(name, value);
  }
  void require(const std::string& name, const std::string& value,
               const std::string& because) const {
    const Json* found = find_arg(arguments, name);
    if (found == nullptr) {
      add(name, value);
    } else if (text_of(*found) != value) {
      throw Error(ExitCode::usage,
                  "the kubeadm configuration gives the kubelet --" + name + "=" +
                      printable(text_of(*found)) + ", but it must be " + value + ": " + because,
                  "take it out of kubeletExtraArgs");
    }
  }
};

// kubeadm's extra arguments are strings; a user's `false` or `8` without quotes is meant as one.
void args_as_strings(Json& arguments) {
  if (arguments.is_object()) {
    for (auto& [name, value] : arguments.items())
      if (!value.is_string()) value = value.is_null() ? "" : value.dump();
  } else if (arguments.is_array()) {
    for (Json& item : arguments)
      if (item.is_object() && item.contains("value") && !item["value"].is_string())
        item["value"] = item["value"].is_null() ? "" : item["value"].dump();
  }
}

Json start_document(const KubeadmInputs& inputs, const std::string& kind) {
  Json document = user_document(inputs.user_documents, kind);
  document["apiVersion"] = inputs.facts.kubeadm_api;
  document["kind"] = kind;
  return document;
}

void set_registration(Json& document, const KubeadmInputs& inputs) {
  require(document, {"nodeRegistration", "criSocket"}, inputs.cri_socket,
          "that is the runtime's socket");
  if (!inputs.node_name.empty())
    require(document, {"nodeRegistration", "name"}, inputs.node_name, "that is --node-name");
  Json& registration = document["nodeRegistration"];
  Json& arguments = registration["kubeletExtraArgs"];
  const bool as_list = inputs.facts.extra_args_as_list;
  if (arguments.is_null()) arguments = as_list ? Json::array() : Json::object();
  if (arguments.is_array() != as_list)
    throw Error(ExitCode::usage,
                std::string("kubeletExtraArgs must be ") +
                    (as_list ? "a list of name and value" : "a map") + " in " +
                    inputs.facts.kubeadm_api,
                "convert the file with `kubeadm config migrate`");
  args_as_strings(arguments);
  const ExtraArgs extra{arguments, as_list};
  extra.require("node-ip", inputs.kubelet_node_ip.empty() ? inputs.node_ip : inputs.kubelet_node_ip,
                "that is the node's address (--node-ip)");
  extra.require("cgroup-driver", inputs.cgroup_driver, "that is the container runtime's");
  if (!inputs.resolv_conf.empty()) extra.set_default("resolv-conf", inputs.resolv_conf);
  if (!inputs.volume_plugin_dir.empty())
    extra.set_default("volume-plugin-dir", inputs.volume_plugin_dir);
  if (!inputs.fail_swap_on) extra.set_default("fail-swap-on", "false");
  // Nobody could fetch them again. 100 turns the kubelet's collector off.
  const Json kubelet = user_document(inputs.user_documents, "KubeletConfiguration");
  if (inputs.never_collect_images && !kubelet.contains("imageGCHighThresholdPercent"))
    extra.set_default("image-gc-high-threshold", "100");
  if (inputs.master && inputs.schedulable)
    require(document, {"nodeRegistration", "taints"}, Json::array(), "that is --schedulable");
}

// The endpoint that the user's document names, with kubeadm's own default port.
std::string with_port(const std::string& endpoint) {
  const auto bracket = endpoint.rfind(']');
  const auto colon = endpoint.rfind(':');
  const bool has_port =
      colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  return has_port ? endpoint : endpoint + ":6443";
}

Json init_configuration(const KubeadmInputs& inputs) {
  Json document = start_document(inputs, "InitConfiguration");
  require(document, {"localAPIEndpoint", "advertiseAddress"}, inputs.node_ip,
          "that is the node's address (--node-ip)");
  set_default(document["localAPIEndpoint"], "bindPort", 6443);
  if (!document.contains("bootstrapTokens") || !document["bootstrapTokens"].is_array() ||
      document["bootstrapTokens"].empty())
    document["bootstrapTokens"] = Json::array({Json::object()});
  Json& token = document["bootstrapTokens"][0];
  set_default(token, "token", inputs.token);
  set_default(token, "ttl", "24h0m0s");
  set_default(token, "usages", Json::array({"signing", "authentication"}));
  set_default(token, "groups", Json::array({"system:bootstrappers:kubeadm:default-node-token"}));
  set_default(document, "certificateKey", inputs.certificate_key);
  set_registration(document, inputs);
  return document;
}

Json cluster_configuration(const KubeadmInputs& inputs) {
  Json document = start_document(inputs, "ClusterConfiguration");
  require(document, {"kubernetesVersion"}, inputs.facts.version.str(), "the bundle holds it");
  const auto is = [&](std::initializer_list<const char*> path, const std::string& value,
                      const char* option) {
    if (!value.empty()) require(document, path, value, "that is " + std::string(option));
  };
  is({"imageRepository"}, inputs.image_repository, "--image-repository");
  Json& endpoint = document["controlPlaneEndpoint"];
  const bool same = endpoint.is_string() &&
                    with_port(endpoint.get<std::string>()) == inputs.control_plane_endpoint;
  if (endpoint.is_null() || endpoint == Json("")) {
    endpoint = inputs.control_plane_endpoint;
  } else if (!same && inputs.endpoint_wanted) {
    require(document, {"controlPlaneEndpoint"}, inputs.control_plane_endpoint,
            "that is --control-plane-endpoint (or --vip)");
  }
  is({"networking", "podSubnet"}, inputs.pod_subnet, "--pod-network-cidr");
  is({"networking", "serviceSubnet"}, inputs.service_subnet, "--service-cidr");
  is({"networking", "dnsDomain"}, inputs.dns_domain, "--service-dns-domain");
  for (const auto& path : {std::pair("dns", "imageTag"), {"dns", "imageRepository"}}) {
    if (document.contains(path.first) && document[path.first].contains(path.second))
      throw Error(ExitCode::usage,
                  std::string("the kubeadm configuration sets ") + path.first + "." + path.second +
                      ", but the bundle holds the image kubeadm asks for by itself",
                  "take it out, or build a bundle with that image and --image-repository");
  }
  if (!inputs.cert_sans.empty()) {
    Json& names = document["apiServer"]["certSANs"];
    if (!names.is_array()) names = Json::array();
    for (const std::string& name : inputs.cert_sans)
      if (std::find(names.begin(), names.end(), Json(name)) == names.end()) names.push_back(name);
  }
  for (const char* part : {"apiServer", "controllerManager", "scheduler"})
    if (document.contains(part) && document[part].contains("extraArgs"))
      args_as_strings(document[part]["extraArgs"]);
  // kubeadm mounts this folder into the controller manager, and the kubelet has to make it.
  if (!inputs.volume_plugin_dir.empty()) {
    Json& arguments = document["controllerManager"]["extraArgs"];
    const bool as_list = inputs.facts.extra_args_as_list;
    if (arguments.is_null()) arguments = as_list ? Json::array() : Json::object();
    const ExtraArgs extra{arguments, as_list};
    extra.set_default("flex-volume-plugin-dir", inputs.volume_plugin_dir);
  }
  return document;
}

Json kubelet_configuration(const KubeadmInputs& inputs) {
  Json document = user_document(inputs.user_documents, kKubelet);
  document["apiVersion"] = "kubelet.config.k8s.io/v1beta1";
  document["kind"] = kKubelet;
  // What was loaded cannot be pulled again: the kubelet must not clean it away.
  set_default(document, "imageGCHighThresholdPercent", 100);
  if (document.contains("cgroupDriver") && document["cgroupDriver"] != inputs.cgroup_driver)
    require(document, {"cgroupDriver"}, inputs.cgroup_driver, "that is the container runtime's");
  return document;
}

Json join_configuration(const KubeadmInputs& inputs) {
  Json document = start_document(inputs, "JoinConfiguration");
  Json& discovery = document["discovery"];
  if (discovery.is_object() && discovery.contains("file"))
    throw Error(ExitCode::usage,
                "the kubeadm configuration joins by a discovery file, kbundle by a join ticket",
                "take `discovery` out and give --join");
  require(document, {"discovery", "bootstrapToken", "apiServerEndpoint"}, inputs.ticket.endpoint,
          "the join ticket says so");
  require(document, {"discovery", "bootstrapToken", "token"}, inputs.ticket.token,
          "the join ticket says so");
  require(document, {"discovery", "bootstrapToken", "caCertHashes"},
          Json::array({inputs.ticket.ca_cert_hash}), "the join ticket says so");
  if (inputs.master) {
    require(document, {"controlPlane", "localAPIEndpoint", "advertiseAddress"}, inputs.node_ip,
            "that is the node's address (--node-ip)");
    set_default(document["controlPlane"]["localAPIEndpoint"], "bindPort", 6443);
    require(document, {"controlPlane", "certificateKey"}, inputs.ticket.certificate_key,
            "the join ticket says so");
  }
  set_registration(document, inputs);
  return document;
}

// What the installer's own phases and checks take as given.
void refuse_unsupported(const std::vector<Json>& documents, const std::string& what) {
  const auto refuse_other = [&](const std::string& name, const Json& value, const Json& only) {
    if (value.is_null() || value == only) return;
    throw Error(ExitCode::usage,
                what + ": " + name + " \"" + printable(text_of(value)) +
                    "\" is not supported yet, only \"" + text_of(only) + "\" is",
                "take the value out of the file given by --config");
  };
  const Json join = user_document(documents, "JoinConfiguration");
  for (const Json& api : {user_document(documents, "InitConfiguration"),
                          join.value("controlPlane", Json(Json::object()))}) {
    const Json endpoint = api.is_object() ? api.value("localAPIEndpoint", Json()) : Json();
    if (endpoint.is_object())
      refuse_other("localAPIEndpoint.bindPort", endpoint.value("bindPort", Json()), 6443);
  }
  const Json cluster = user_document(documents, "ClusterConfiguration");
  refuse_other("certificatesDir", cluster.value("certificatesDir", Json()), "/etc/kubernetes/pki");
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    const auto got = ::getrandom(bytes.data() + have, count - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("get random bytes", errno, ExitCode::internal);
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

std::vector<Json> documents_on_node(const Host& host, const std::string& file) {
  const auto text = host.read(file);
  if (!text) return {};
  try {
    return yaml_documents(*text, file);
  } catch (const Error&) {
    return {};
  }
}

Json user_document(const std::vector<Json>& documents, const std::string& kind) {
  for (const Json& document : documents)
    if (document.is_object() && document.value("kind", "") == kind) return document;
  return Json::object();
}

void check_user_documents(const std::vector<Json>& documents, const KubernetesFacts& facts,
                          const NodeKind& node, const std::string& what) {
  std::vector<std::string> seen;
  for (const Json& document : documents) {
    if (!document.is_object() || !document.contains("kind") || !document["kind"].is_string() ||
        !document.contains("apiVersion") || !document["apiVersion"].is_string())
      throw Error(ExitCode::usage, what + ": a document has no kind or apiVersion");
    const std::string kind = document["kind"];
    const std::string api = document["apiVersion"];
    if (std::find(seen.begin(), seen.end(), kind) != seen.end())
      throw Error(ExitCode::usage, what + ": the kind " + printable(kind) + " stands twice");
    seen.push_back(kind);
    const bool kubeadm = api.starts_with("kubeadm.k8s.io/");
    if (kubeadm && api != facts.kubeadm_api)
      throw Error(ExitCode::usage,
                  what + ": " + printable(kind) + " is " + printable(api) + ", but " +
                      facts.version.str() + " is configured by " + facts.kubeadm_api,
                  "convert it with `kubeadm config migrate --old-config FILE`");
    const bool known = kind == kKubelet || kind == kProxy ||
                       (kubeadm && (kind == "InitConfiguration" || kind == "ClusterConfiguration" ||
                                    kind == "JoinConfiguration"));
    if (!known)
      throw Error(ExitCode::usage,
                  what + ": the kind " + printable(kind) + " is none that install reads");
    for (const char* key :
         {"nodeRegistration", "localAPIEndpoint", "networking", "discovery", "controlPlane",
          "apiServer", "dns", "etcd", "controllerManager", "scheduler"})
      if (document.contains(key) && !document[key].is_object() && !document[key].is_null())
        throw Error(ExitCode::usage, what + ": " + key + " is not a map");
  }
  refuse_unsupported(documents, what);
  const char* other = node.joins ? "InitConfiguration" : "JoinConfiguration";
  if (std::find(seen.begin(), seen.end(), other) != seen.end())
    throw Error(ExitCode::usage, what + ": " + other + " does not belong to " +
                                     (!node.master ? "--role worker"
                                      : node.joins ? "a master that joins"
                                                   : "the first master"));
  const Json join = user_document(documents, "JoinConfiguration");
  if (!node.master && join.contains("controlPlane"))
    throw Error(ExitCode::usage, what + ": controlPlane does not belong to --role worker",
                "take it out, or join with --role master");
}

std::string kubelet_extra_arg(const Json& registration, const std::string& name) {
  if (!registration.is_object() || !registration.contains("kubeletExtraArgs")) return {};
  Json arguments = registration["kubeletExtraArgs"];
  const Json* found = find_arg(arguments, name);
  return found == nullptr ? std::string() : text_of(*found);
}

std::string render_kubeadm_config(const KubeadmInputs& inputs) {
  std::vector<Json> documents;
  if (inputs.joins) {
    documents.push_back(join_configuration(inputs));
  } else {
    documents.push_back(init_configuration(inputs));
    documents.push_back(cluster_configuration(inputs));
    documents.push_back(kubelet_configuration(inputs));
    if (Json proxy = user_document(inputs.user_documents, kProxy); !proxy.empty())
      documents.push_back(std::move(proxy));
  }
  std::string text = "# Made by kbundle, once. It holds secrets.\n";
  for (std::size_t i = 0; i < documents.size(); ++i)
    text += (i == 0 ? "" : "---\n") + to_yaml(documents[i]);
  return text;
}

std::string generate_token() {
  static constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::string token;
  while (token.size() < 22) {
    for (const char c : random_bytes(32)) {
      // 252 = 7 * 36: every character is equally likely
      if (const auto value = static_cast<unsigned char>(c); value < 252 && token.size() < 22)
        token += kAlphabet[value % 36];
    }
  }
  return token.substr(0, 6) + "." + token.substr(6);
}

std::string generate_certificate_key() {
  return to_hex(random_bytes(32));
}

KeptSecrets kept_secrets(const std::string& config_yaml) {
  KeptSecrets secrets;
  const auto documents = yaml_documents(config_yaml, "the kept kubeadm configuration");
  const Json init = user_document(documents, "InitConfiguration");
  if (init.contains("bootstrapTokens") && init["bootstrapTokens"].is_array() &&
      !init["bootstrapTokens"].empty())
    secrets.token = init["bootstrapTokens"][0].value("token", "");
  secrets.certificate_key = init.value("certificateKey", "");
  return secrets;
}

}  // namespace kbundle
