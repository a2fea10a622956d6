#include "distribution/site_settings.hpp"

#include <fmt/core.h>

#include "core/text.hpp"

namespace kbundle {
namespace {

std::string indented(const std::string& text) {
  std::string result;
  for (const std::string& line : split(trim(text), '\n'))
    result += line.empty() ? "\n" : "  " + line + "\n";
  return result;
}

}  // namespace

SiteSettings site_settings(const RegistryPrefix& registry, const std::set<std::string>& upstreams,
                           bool plain_http, const std::filesystem::path& ca) {
  const std::string ca_file = ca.empty() ? "" : std::filesystem::absolute(ca).string();
  SiteSettings settings;
  settings.image_repository = registry.str();
  for (const std::string& upstream : upstreams)
    settings.hosts.push_back(
        {upstream, "", {HostsToml::endpoint(registry.host, registry.path, plain_http, ca_file)}});
  // Images are also asked for under the registry's own name (imageRepository).
  if (plain_http || !ca_file.empty()) {
    const auto endpoint = HostsToml::endpoint(registry.host, "", plain_http, ca_file);
    settings.hosts.push_back({registry.host, endpoint.url, {endpoint}});
  }
  return settings;
}

std::string SiteSettings::text() const {
  std::string text = fmt::format(
      "kubeadm, in its ClusterConfiguration:\n\n  imageRepository: {}\n\n"
      "containerd, in /etc/containerd/config.toml on each node (then restart it):\n\n{}",
      image_repository, indented(HostsToml::containerd_config()));
  for (const HostsToml& file : hosts)
    text += fmt::format("\n{}:\n\n{}", file.path(), indented(file.text()));
  for (const HostsToml& file : hosts) {
    if (file.endpoints.empty() || file.endpoints.front().ca.empty()) continue;
    text += fmt::format("\nEach node needs a copy of {}.\n", file.endpoints.front().ca);
    break;
  }
  return text;
}

Json SiteSettings::json() const {
  Json files = Json::object();
  for (const HostsToml& file : hosts) files[file.path()] = file.text();
  return {{"imageRepository", image_repository},
          {"containerdConfig", HostsToml::containerd_config()},
          {"hostsToml", std::move(files)}};
}

}  // namespace kbundle
