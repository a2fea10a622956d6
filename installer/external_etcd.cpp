#include "installer/external_etcd.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/etcd_members.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr const char* kApiServer = "/etc/kubernetes/manifests/kube-apiserver.yaml";

// What the API server's static pod was told.
ExternalEtcd etcd_of_api_server(const Host& host) {
  ExternalEtcd etcd;
  const auto documents = documents_on_node(host, kApiServer);
  const auto pointer = "/spec/containers/0/command"_json_pointer;
  if (documents.size() != 1 || !documents[0].contains(pointer)) return etcd;
  for (const Json& word : documents[0].at(pointer)) {
    const std::string text = word.is_string() ? word.get<std::string>() : std::string();
    const auto value = [&](const std::string& name) {
      return text.starts_with("--" + name + "=") ? text.substr(name.size() + 3) : std::string();
    };
    if (const auto list = value("etcd-servers"); !list.empty()) etcd.endpoints = split(list, ',');
    if (const auto file = value("etcd-cafile"); !file.empty()) etcd.credentials.ca_file = file;
    if (const auto file = value("etcd-certfile"); !file.empty()) etcd.credentials.cert_file = file;
    if (const auto file = value("etcd-keyfile"); !file.empty()) etcd.credentials.key_file = file;
  }
  return etcd;
}

// kubeadm's own is asked on the node itself.
bool is_local(const std::string& url) {
  return url.find("//127.0.0.1:") != std::string::npos ||
         url.find("//[::1]:") != std::string::npos || url.find("//localhost:") != std::string::npos;
}

}  // namespace

std::vector<std::string> ExternalEtcd::files() const {
  std::vector<std::string> result;
  for (const std::string& file : {credentials.ca_file, credentials.cert_file, credentials.key_file})
    if (!file.empty()) result.push_back(file);
  return result;
}

std::optional<ExternalEtcd> external_etcd_of(const std::vector<Json>& documents) {
  const Json all = user_document(documents, "ClusterConfiguration").value("etcd", Json::object());
  if (!all.is_object() || !all.contains("external") || all["external"].is_null())
    return std::nullopt;
  const std::string what = "the kubeadm configuration's etcd.external";
  const Json& external = all["external"];
  if (!external.is_object()) throw Error(ExitCode::usage, what + " is not a map");
  ExternalEtcd etcd;
  const Json endpoints = external.value("endpoints", Json());
  if (!endpoints.is_array() || endpoints.empty())
    throw Error(ExitCode::usage, what + " names no endpoints",
                "endpoints: [https://ADDRESS:2379, …]");
  for (const Json& endpoint : endpoints) {
    const std::string url = endpoint.is_string() ? endpoint.get<std::string>() : endpoint.dump();
    (void)EtcdEndpoint::parse(url);
    etcd.endpoints.push_back(url);
  }
  const auto file = [&](const char* key) {
    const Json value = external.value(key, Json(""));
    const std::string path = value.is_string() ? value.get<std::string>() : value.dump();
    if (!path.empty() && !path.starts_with('/'))
      throw Error(ExitCode::usage,
                  what + ": " + key + " is not an absolute path: " + printable(path));
    return path;
  };
  etcd.credentials = {file("caFile"), file("certFile"), file("keyFile")};
  if (etcd.credentials.cert_file.empty() != etcd.credentials.key_file.empty())
    throw Error(ExitCode::usage, what + " has one of certFile and keyFile; they go together");
  if (etcd.credentials.ca_file.empty() && !etcd.credentials.cert_file.empty())
    throw Error(ExitCode::usage, what + " has a certFile and no caFile");
  return etcd;
}

std::optional<ExternalEtcd> external_etcd_of_node(const Host& host,
                                                  const std::optional<Receipt>& receipt) {
  ExternalEtcd told = etcd_of_api_server(host);
  if (receipt && !receipt->external_etcd) return std::nullopt;
  if (receipt) return told;
  // A partial install: the API server's pod may not be there yet.
  try {
    if (auto kept = external_etcd_of(documents_on_node(host, node_path::kubeadm_config)))
      return kept;
  } catch (const Error&) {  // not written by kbundle
  }
  const bool elsewhere =
      std::any_of(told.endpoints.begin(), told.endpoints.end(),
                  [](const std::string& endpoint) { return !is_local(endpoint); });
  return elsewhere ? std::optional(std::move(told)) : std::nullopt;
}

std::vector<std::string> endpoints_in_trouble(const Host& host, const ExternalEtcd& etcd) {
  const EtcdClient client(host, etcd.credentials);
  std::vector<std::string> result;
  for (const std::string& endpoint : etcd.endpoints)
    if (const auto trouble = etcd_trouble(client, endpoint); !trouble.empty())
      result.push_back(endpoint + ": " + trouble);
  return result;
}

}  // namespace kbundle
