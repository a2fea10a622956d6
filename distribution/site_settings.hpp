// What a site has to set so that its nodes get their images from a registry of its own.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "distribution/names.hpp"
#include "registry/hosts_toml.hpp"

namespace kbundle {

struct SiteSettings {
  std::string image_repository;  ///< for kubeadm's ClusterConfiguration
  std::vector<HostsToml> hosts;  ///< one for each upstream host of the images' names

  /// For people: the settings and the files they go into.
  std::string text() const;
  Json json() const;
};

/// `ca`: the registry's CA file on this host, for which the nodes need a copy; empty: none.
SiteSettings site_settings(const RegistryPrefix& registry, const std::set<std::string>& upstreams,
                           bool plain_http, const std::filesystem::path& ca);

}  // namespace kbundle
