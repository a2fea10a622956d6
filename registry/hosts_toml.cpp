#include "registry/hosts_toml.hpp"

#include <fmt/core.h>

#include <string_view>

#include "registry/reference.hpp"

namespace kbundle {
namespace {

constexpr const char* kFolder = "/etc/containerd/certs.d";

// A TOML basic string. https://toml.io/en/v1.0.0#string
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      result += fmt::format("\\{}", c);
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      result += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    else
      result += c;
  }
  return result + "\"";
}

// Docker Hub's API does not live under the name that its images have.
std::string server_of(const std::string& upstream) {
  return "https://" + api_host(upstream);
}

}  // namespace

HostsToml::Endpoint HostsToml::endpoint(const std::string& host, const std::string& prefix,
                                        bool plain_http, const std::string& ca) {
  Endpoint endpoint;
  endpoint.url = (plain_http ? "http://" : "https://") + host;
  if (!prefix.empty()) {
    endpoint.url += "/v2/" + prefix;
    endpoint.override_path = true;
  }
  if (!plain_http) endpoint.ca = ca;
  return endpoint;
}

std::string HostsToml::path() const {
  return fmt::format("{}/{}/hosts.toml", kFolder, upstream);
}

std::string HostsToml::text() const {
  std::string text =
      fmt::format("server = {}\n", quoted(server.empty() ? server_of(upstream) : server));
  for (const Endpoint& endpoint : endpoints) {
    text += fmt::format("\n[host.{}]\n  capabilities = [\"pull\", \"resolve\"]\n",
                        quoted(endpoint.url));
    if (endpoint.override_path) text += "  override_path = true\n";
    if (!endpoint.ca.empty()) text += fmt::format("  ca = {}\n", quoted(endpoint.ca));
  }
  return text;
}

std::string HostsToml::containerd_config() {
  return fmt::format("[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"{}\"\n",
                     kFolder);
}

}  // namespace kbundle
