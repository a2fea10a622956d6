#include "installer/runtimes/containerd_files.hpp"

#include <glob.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <set>

#include "core/json.hpp"
#include "installer/context.hpp"
#include "installer/runtimes/containerd_toml.hpp"

namespace kbundle {
namespace {

constexpr const char* kOpenChange = "/var/lib/kbundle/containerd-before-change.json";
constexpr const char* kBackupFolder = "/var/lib/kbundle/backup";
constexpr const char* kRewritten =
    "# Rewritten by kbundle, which cannot keep comments; the file as it was: ";

// Paths on the node that match a pattern, sorted.
std::vector<std::string> matches(const Host& host, const std::string& pattern) {
  const std::string root = host.at("/").string();
  ::glob_t found{};
  std::vector<std::string> result;
  if (::glob(host.at(pattern).c_str(), GLOB_PERIOD, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      const std::string path = found.gl_pathv[i];
      result.push_back("/" + std::filesystem::path(path).lexically_relative(root).string());
    }
  }
  ::globfree(&found);
  return result;
}

// As containerd resolves them: only an asterisk makes a pattern.
std::vector<std::string> imports_of(const Host& host, const ContainerdFile& file,
                                    bool relative_globs) {
  const toml::table root = containerd_toml::parse(file.text, file.path);
  std::vector<std::string> result;
  const auto* imports = root["imports"].as_array();
  if (imports == nullptr) return result;
  for (const toml::node& import : *imports) {
    std::filesystem::path path = import.value_or(std::string());
    if (path.empty()) continue;
    const bool glob = path.string().find('*') != std::string::npos;
    if (path.is_relative())
      path = (glob && !relative_globs ? std::filesystem::path("/")
                                      : std::filesystem::path(file.path).parent_path()) /
             path;
    const std::string clean = path.lexically_normal().string();
    if (!glob) {
      result.push_back(clean);
    } else {
      for (std::string& match : matches(host, clean)) result.push_back(std::move(match));
    }
  }
  return result;
}

Json read_open_change(const Host& host) {
  const auto text = host.read(kOpenChange);
  if (!text) return Json::object();
  return parse_json(*text, kOpenChange);
}

}  // namespace

std::vector<ContainerdFile> read_containerd_files(const Host& host, bool relative_globs) {
  std::vector<ContainerdFile> files;
  std::set<std::string> seen;
  std::deque<std::string> pending = {kContainerdConfig};
  for (; !pending.empty(); pending.pop_front()) {
    if (!seen.insert(pending.front()).second) continue;
    const auto text = host.read(pending.front());
    if (!text) continue;
    files.push_back({pending.front(), *text});
    for (std::string& import : imports_of(host, files.back(), relative_globs))
      pending.push_back(std::move(import));
  }
  return files;
}

std::string containerd_backup(const std::string& path) {
  return path == kContainerdConfig ? path + ".kbundle-backup" : kBackupFolder + path;
}

void ContainerdChange::write(const std::vector<ContainerdEdit>& edits) const {
  if (edits.empty()) return;
  Json noted = read_open_change(host_);
  for (const ContainerdEdit& edit : edits) {
    const auto before = host_.read(edit.path);
    if (!noted.contains(edit.path))
      noted[edit.path] =
          before ? Json{{"text", *before}, {"mode", host_.mode(edit.path)}} : Json(nullptr);
  }
  make_folders(host_.at(node_path::state), 0700);
  // Credentials of registries may stand in it.
  host_.write(kOpenChange, noted.dump(), 0600);
  for (const ContainerdEdit& edit : edits) {
    const auto before = host_.read(edit.path);
    if (before && !host_.exists(containerd_backup(edit.path)))
      host_.write(containerd_backup(edit.path), *before, host_.mode(edit.path));
    const std::string note = before ? kRewritten + containerd_backup(edit.path) + "\n" : "";
    host_.write(edit.path, note + edit.text, before ? host_.mode(edit.path) : 0644U);
  }
}

bool ContainerdChange::open() const {
  return host_.exists(kOpenChange);
}

void ContainerdChange::confirm() const {
  host_.remove(kOpenChange);
}

void ContainerdChange::take_back() const {
  const Json noted = read_open_change(host_);
  for (const auto& [path, before] : noted.items()) {
    if (before.is_null()) {
      host_.remove(path);
      continue;
    }
    const auto text = before.at("text").get<std::string>();
    host_.write(path, text, before.at("mode").get<unsigned>());
    if (host_.read(containerd_backup(path)) == text) host_.remove(containerd_backup(path));
  }
  confirm();
}

}  // namespace kbundle
