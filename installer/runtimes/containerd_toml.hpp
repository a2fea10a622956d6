// containerd's configuration as a TOML document: where each layout keeps what. For the sources of
// this folder only.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <string_view>
#include <vector>

namespace kbundle::containerd_toml {

using Path = std::vector<std::string>;

/// Where a version keeps a setting.
struct Keys {
  Path sandbox, cni, runtimes, default_runtime, snapshotter, registry;
};
Keys keys_of(int version);

bool is_cri_plugin(const std::string& name);

/// Error{preflight} naming `what` and the line.
toml::table parse(std::string_view text, const std::string& what);
/// 0 when the file does not say. Error{preflight} for an unknown one.
int version_of(const toml::table& table, const std::string& what);

/// nullptr when absent.
const toml::node* find(const toml::table& table, const Path& path);
/// Empty when absent or no string.
std::string string_at(const toml::table& table, const Path& path);
bool bool_at(const toml::table& table, const Path& path);
Path with(Path path, const std::string& key);
/// The table at `path`, made where it is missing. Error{preflight} when something else is there.
toml::table& table_at(toml::table& root, const Path& path, const std::string& what);

}  // namespace kbundle::containerd_toml
