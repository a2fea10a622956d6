#include "installer/runtimes/containerd_config.hpp"

#include <algorithm>

#include "installer/runtimes/containerd_toml.hpp"

namespace kbundle {

using namespace containerd_toml;

ContainerdSettings read_containerd_config(std::string_view text, const std::string& what) {
  const toml::table root = parse(text, what);
  ContainerdSettings settings;
  settings.version = std::max(version_of(root, what), 1);
  const Keys keys = keys_of(settings.version);
  if (const auto* disabled = root["disabled_plugins"].as_array())
    for (const toml::node& name : *disabled)
      settings.cri_disabled |= is_cri_plugin(name.value_or(std::string()));
  settings.sandbox_image = string_at(root, keys.sandbox);
  settings.cni_bin_dir = string_at(root, with(keys.cni, "bin_dir"));
  settings.cni_conf_dir = string_at(root, with(keys.cni, "conf_dir"));
  settings.snapshotter = string_at(root, keys.snapshotter);
  settings.registry_config_path = string_at(root, with(keys.registry, "config_path"));
  settings.root = string_at(root, {"root"});
  settings.address = string_at(root, {"grpc", "address"});
  if (settings.address.empty())  // version 4
    settings.address = string_at(root, {"plugins", "io.containerd.server.v1.grpc", "address"});
  std::string runtime = string_at(root, keys.default_runtime);
  if (runtime.empty()) runtime = "runc";
  settings.systemd_cgroup =
      bool_at(root, with(with(with(keys.runtimes, runtime), "options"), "SystemdCgroup")) ||
      (settings.version == 1 && bool_at(root, {"plugins", "cri", "systemd_cgroup"}));
  return settings;
}

}  // namespace kbundle
