#include "cli/mirror_flags.hpp"

#include "manifests/mirror_presets.hpp"

namespace kbundle::cli {

void add_mirror_flags(CLI::App& verb, MirrorFlags& flags) {
  verb.add_option("--mirror", flags.rules,
                  "get FROM's bytes from TO, digests unchanged (may be repeated):\n"
                  "k8s.gcr.io=registry.example/k8s, k8s.gcr.io=HOST/google_containers/* (flat)")
      ->type_name("FROM=TO");
  verb.add_option("--mirrors", flags.file, "a file of such rules (YAML)")->type_name("FILE");
  verb.add_option("--mirror-preset", flags.presets,
                  "a well-known mirror; `kbundle mirrors` lists them (may be repeated)")
      ->type_name("NAME");
}

Mirrors MirrorFlags::mirrors() const {
  std::vector<MirrorRule> all;
  for (const auto& text : rules) all.push_back(MirrorRule::parse(text));
  Mirrors mirrors(std::move(all));
  if (!file.empty()) mirrors.append(Mirrors::read(file));
  for (const auto& name : presets) {
    std::vector<MirrorRule> preset;
    for (const auto& [from, to] : MirrorPresets::builtin().find(name).rules) {
      preset.push_back(MirrorRule::parse(from + "=" + to));
    }
    mirrors.append(Mirrors(std::move(preset)));
  }
  return mirrors;
}

}  // namespace kbundle::cli
