#include "installer/runtimes/containerd_config.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "core/error.hpp"

namespace kbundle {
namespace {

using Path = std::vector<std::string>;

// Where each layout keeps a setting.
struct Keys {
  Path sandbox, cni, runc_options, snapshotter;
};

Keys keys_of(int version) {
  switch (version) {
    case 1:
      return {{"plugins", "cri", "sandbox_image"},
              {"plugins", "cri", "cni"},
              {"plugins", "cri", "containerd", "runtimes", "runc", "options", "SystemdCgroup"},
              {"plugins", "cri", "containerd", "snapshotter"}};
    case 2: {
      const std::string cri = "io.containerd.grpc.v1.cri";
      return {{"plugins", cri, "sandbox_image"},
              {"plugins", cri, "cni"},
              {"plugins", cri, "containerd", "runtimes", "runc", "options", "SystemdCgroup"},
              {"plugins", cri, "containerd", "snapshotter"}};
    }
    default: {
      const std::string runtime = "io.containerd.cri.v1.runtime";
      const std::string images = "io.containerd.cri.v1.images";
      return {{"plugins", images, "pinned_images", "sandbox"},
              {"plugins", runtime, "cni"},
              {"plugins", runtime, "containerd", "runtimes", "runc", "options", "SystemdCgroup"},
              {"plugins", images, "snapshotter"}};
    }
  }
}

bool is_cri_plugin(const std::string& name) {
  return name == "cri" || name == "io.containerd.grpc.v1.cri" ||
         name == "io.containerd.cri.v1.images" || name == "io.containerd.cri.v1.runtime";
}

toml::table parse(std::string_view text, const std::string& what) {
  try {
    return toml::parse(text, what);
  } catch (const toml::parse_error& error) {
    throw Error(ExitCode::preflight,
                what + ", line " + std::to_string(error.source().begin.line) + ": " +
                    std::string(error.description()),
                "repair the file, or move it away: containerd and kbundle then take defaults");
  }
}

const toml::node* find(const toml::table& table, const Path& path) {
  const toml::node* at = &table;
  for (const std::string& key : path) {
    const toml::table* inner = at->as_table();
    if (inner == nullptr) return nullptr;
    at = inner->get(key);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string string_at(const toml::table& table, const Path& path) {
  const toml::node* node = find(table, path);
  return node == nullptr ? std::string() : node->value_or(std::string());
}

Path with(Path path, const std::string& key) {
  path.push_back(key);
  return path;
}

// The table at `path`, made where it is missing.
toml::table& table_at(toml::table& root, const Path& path, const std::string& what) {
  toml::table* at = &root;
  for (const std::string& key : path) {
    toml::node* inner = at->get(key);
    if (inner == nullptr) inner = &at->insert(key, toml::table{}).first->second;
    at = inner->as_table();
    if (at == nullptr)
      throw Error(ExitCode::preflight, what + ": " + key + " is not a table", "repair the file");
  }
  return *at;
}

int version_of(const toml::table& table, const std::string& what) {
  const auto version = table["version"].value<std::int64_t>().value_or(1);
  if (version < 1 || version > 4)
    throw Error(ExitCode::preflight,
                what + " is of version " + std::to_string(version) + "; versions 1 to 4 are known",
                "use a newer kbundle");
  return static_cast<int>(version);
}

void set_string(toml::table& root, const Path& path, const std::string& value,
                const std::string& what, std::vector<std::string>& changes) {
  if (string_at(root, path) == value) return;
  const Path parent(path.begin(), path.end() - 1);
  table_at(root, parent, what).insert_or_assign(path.back(), value);
  changes.push_back(path.back() + " = \"" + value + "\"");
}

bool enable_cri(toml::table& root, std::vector<std::string>& changes) {
  toml::array* disabled = root["disabled_plugins"].as_array();
  if (disabled == nullptr) return false;
  bool found = false;
  for (auto it = disabled->begin(); it != disabled->end();) {
    const std::string name = it->value_or(std::string());
    if (is_cri_plugin(name)) {
      it = disabled->erase(it);
      changes.push_back("disabled_plugins without \"" + name + "\"");
      found = true;
    } else {
      ++it;
    }
  }
  return found;
}

// A file without a version is of version 1. It can become version 2, which newer containerds want,
// when nothing in it is spelt in version 1's way.
bool may_become_version_2(const toml::table& root) {
  if (root.contains("version")) return false;
  if (const auto* plugins = root["plugins"].as_table(); plugins != nullptr && !plugins->empty())
    return false;
  for (const char* list : {"disabled_plugins", "required_plugins"}) {
    const auto* names = root[list].as_array();
    if (names != nullptr && !names->empty()) return false;
  }
  return true;
}

void set_cni(toml::table& root, const Keys& keys, const ContainerdWish& wish,
             const std::string& what, std::vector<std::string>& changes) {
  // Since containerd 2.1 there may be a list of plugin folders instead.
  if (const toml::node* node = find(root, with(keys.cni, "bin_dirs"))) {
    auto* folders = const_cast<toml::node*>(node)->as_array();
    const bool has = folders != nullptr &&
                     std::any_of(folders->begin(), folders->end(), [&](const toml::node& folder) {
                       return folder.value_or(std::string()) == wish.cni_bin_dir;
                     });
    if (folders != nullptr && !folders->empty() && !has) {
      folders->insert(folders->begin(), wish.cni_bin_dir);
      changes.push_back("bin_dirs with \"" + wish.cni_bin_dir + "\"");
    }
  }
  const std::string bin = string_at(root, with(keys.cni, "bin_dir"));
  if (!bin.empty() && bin != wish.cni_bin_dir)
    set_string(root, with(keys.cni, "bin_dir"), wish.cni_bin_dir, what, changes);
  const std::string conf = string_at(root, with(keys.cni, "conf_dir"));
  if (!conf.empty() && conf != wish.cni_conf_dir)
    set_string(root, with(keys.cni, "conf_dir"), wish.cni_conf_dir, what, changes);
}

}  // namespace

ContainerdSettings read_containerd_config(std::string_view text, const std::string& what) {
  const toml::table root = parse(text, what);
  ContainerdSettings settings;
  settings.version = version_of(root, what);
  const Keys keys = keys_of(settings.version);
  if (const auto* disabled = root["disabled_plugins"].as_array())
    for (const toml::node& name : *disabled)
      settings.cri_disabled |= is_cri_plugin(name.value_or(std::string()));
  settings.sandbox_image = string_at(root, keys.sandbox);
  settings.cni_bin_dir = string_at(root, with(keys.cni, "bin_dir"));
  settings.cni_conf_dir = string_at(root, with(keys.cni, "conf_dir"));
  settings.snapshotter = string_at(root, keys.snapshotter);
  settings.root = string_at(root, {"root"});
  settings.address = string_at(root, {"grpc", "address"});
  if (const toml::node* node = find(root, keys.runc_options))
    settings.systemd_cgroup = node->value_or(false);
  if (settings.version == 1) {
    const toml::node* node = find(root, {"plugins", "cri", "systemd_cgroup"});
    settings.systemd_cgroup |= node != nullptr && node->value_or(false);
  }
  if (const auto* imports = root["imports"].as_array())
    for (const toml::node& import : *imports)
      settings.imports.push_back(import.value_or(std::string()));
  return settings;
}

ContainerdMerge merge_containerd_config(std::string_view text, const ContainerdWish& wish,
                                        const std::string& what) {
  toml::table root = parse(text, what);
  ContainerdMerge merge;
  enable_cri(root, merge.changes);
  if (may_become_version_2(root)) {
    root.insert_or_assign("version", 2);
    merge.changes.emplace_back("version = 2");
  }
  const Keys keys = keys_of(version_of(root, what));
  set_string(root, keys.sandbox, wish.sandbox_image, what, merge.changes);
  set_cni(root, keys, wish, what, merge.changes);
  merge.changed = !merge.changes.empty();
  if (merge.changed) {
    std::ostringstream out;
    out << root << "\n";
    merge.text = out.str();
  }
  return merge;
}

}  // namespace kbundle
