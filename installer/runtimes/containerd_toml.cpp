#include "installer/runtimes/containerd_toml.hpp"

#include "core/error.hpp"

namespace kbundle::containerd_toml {

Keys keys_of(int version) {
  if (version <= 2) {
    const std::string cri = version == 1 ? "cri" : "io.containerd.grpc.v1.cri";
    return {.sandbox = {"plugins", cri, "sandbox_image"},
            .cni = {"plugins", cri, "cni"},
            .runtimes = {"plugins", cri, "containerd", "runtimes"},
            .default_runtime = {"plugins", cri, "containerd", "default_runtime_name"},
            .snapshotter = {"plugins", cri, "containerd", "snapshotter"},
            .registry = {"plugins", cri, "registry"}};
  }
  const std::string runtime = "io.containerd.cri.v1.runtime";
  const std::string images = "io.containerd.cri.v1.images";
  return {.sandbox = {"plugins", images, "pinned_images", "sandbox"},
          .cni = {"plugins", runtime, "cni"},
          .runtimes = {"plugins", runtime, "containerd", "runtimes"},
          .default_runtime = {"plugins", runtime, "containerd", "default_runtime_name"},
          .snapshotter = {"plugins", images, "snapshotter"},
          .registry = {"plugins", images, "registry"}};
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

int version_of(const toml::table& table, const std::string& what) {
  const auto version = table["version"].value<std::int64_t>().value_or(0);
  if (version < 0 || version > 4)
    throw Error(ExitCode::preflight,
                what + " is of version " + std::to_string(version) + "; versions 1 to 4 are known",
                "use a newer kbundle");
  return static_cast<int>(version);
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

bool bool_at(const toml::table& table, const Path& path) {
  const toml::node* node = find(table, path);
  return node != nullptr && node->value_or(false);
}

Path with(Path path, const std::string& key) {
  path.push_back(key);
  return path;
}

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

}  // namespace kbundle::containerd_toml
