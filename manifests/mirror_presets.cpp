#include "manifests/mirror_presets.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "manifests/embedded.hpp"

namespace kbundle {
namespace {

[[noreturn]] void refuse(std::string_view what, const std::string& why) {
  throw Error(ExitCode::internal, fmt::format("{}: {}", what, why),
              "this file is part of kbundle; report it");
}

std::string text_of(const YAML::Node& map, const char* key) {
  return map[key] ? map[key].as<std::string>() : std::string();
}

MirrorPreset preset_of(const YAML::Node& node, std::string_view what) {
  for (const auto& member : node) {
    const auto key = member.first.as<std::string>();
    if (key != "name" && key != "note" && key != "rules" && key != "dead" && key != "instead" &&
        key != "hosts") {
      refuse(what, fmt::format("line {}: unknown key \"{}\"", member.first.Mark().line + 1, key));
    }
  }
  MirrorPreset preset;
  preset.name = text_of(node, "name");
  preset.note = text_of(node, "note");
  preset.dead = text_of(node, "dead");
  preset.instead = text_of(node, "instead");
  for (const YAML::Node& host : node["hosts"]) preset.hosts.push_back(host.as<std::string>());
  for (const YAML::Node& rule : node["rules"]) {
    preset.rules.emplace_back(text_of(rule, "from"), text_of(rule, "to"));
  }
  const bool is_dead = !preset.dead.empty();
  if (preset.name.empty() || preset.rules.empty() != is_dead || preset.note.empty() != is_dead ||
      preset.hosts.empty() == is_dead || preset.instead.empty() == is_dead) {
    refuse(what, fmt::format("line {}: a preset has a name, and either a note and rules, or dead, "
                             "instead and hosts",
                             node.Mark().line + 1));
  }
  return preset;
}

// "gcr.azk8s.cn/x" and "a.azk8s.cn" are places of "azk8s.cn".
bool is_place_of(std::string_view place, std::string_view known) {
  const auto slash = known.find('/');
  const std::string_view host = place.substr(0, place.find('/'));
  if (slash == std::string_view::npos) {
    return host == known || (host.ends_with(known) && host[host.size() - known.size() - 1] == '.');
  }
  return place.starts_with(known) && (place.size() == known.size() || place[known.size()] == '/');
}

}  // namespace

const MirrorPresets& MirrorPresets::builtin() {
  static const MirrorPresets presets = [] {
    for (const EmbeddedFile& file : embedded_files()) {
      if (file.name == "mirror_presets.yaml") return parse(file.text, "the built-in mirrors");
    }
    throw Error(ExitCode::internal, "the list of mirrors is not compiled in");
  }();
  return presets;
}

MirrorPresets MirrorPresets::parse(std::string_view yaml, std::string_view what) {
  MirrorPresets result;
  try {
    const YAML::Node document = YAML::Load(std::string(yaml));
    if (!document.IsMap() || text_of(document, "format") != "1") refuse(what, "not format 1");
    for (const YAML::Node& node : document["presets"]) {
      result.presets_.push_back(preset_of(node, what));
    }
  } catch (const YAML::Exception& error) {
    refuse(what, error.what());
  }
  std::stable_partition(result.presets_.begin(), result.presets_.end(),
                        [](const MirrorPreset& preset) { return preset.dead.empty(); });
  for (const MirrorPreset& preset : result.presets_) {
    if (!preset.dead.empty() && !result.find(preset.instead).dead.empty()) {
      refuse(what,
             fmt::format("{} stands for {} and is dead as well", preset.instead, preset.name));
    }
  }
  return result;
}

const MirrorPreset& MirrorPresets::find(std::string_view name) const {
  const auto named = std::find_if(presets_.begin(), presets_.end(),
                                  [&](const MirrorPreset& preset) { return preset.name == name; });
  const MirrorPreset* found = named == presets_.end() ? dead_place(name) : &*named;
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const MirrorPreset& preset : presets_) {
      if (preset.dead.empty()) names.push_back(preset.name);
    }
    throw Error(ExitCode::usage,
                fmt::format("there is no mirror preset \"{}\"", printable(name.substr(0, 200))),
                fmt::format("the presets are {}; `kbundle mirrors` describes them",
                            fmt::join(names, ", ")));
  }
  if (!found->dead.empty()) {
    throw Error(
        ExitCode::usage, fmt::format("the mirror {} is dead: {}", printable(name), found->dead),
        fmt::format("take --mirror-preset {}; `kbundle mirrors` lists them all", found->instead));
  }
  return *found;
}

const MirrorPreset* MirrorPresets::dead_place(std::string_view place) const {
  if (const auto scheme = place.find("://"); scheme != std::string_view::npos) {
    place.remove_prefix(scheme + 3);
  }
  for (const MirrorPreset& preset : presets_) {
    for (const std::string& host : preset.hosts) {
      if (is_place_of(place, host)) return &preset;
    }
  }
  return nullptr;
}

}  // namespace kbundle
