// The flags that say where bytes come from: --mirror, --mirrors, --mirror-preset.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "registry/mirrors.hpp"

namespace kbundle::cli {

struct MirrorFlags {
  std::vector<std::string> rules;
  std::filesystem::path file;
  std::vector<std::string> presets;
  /// The rules in their order: flags, file, presets.
  Mirrors mirrors() const;
};
void add_mirror_flags(CLI::App& verb, MirrorFlags& flags);

}  // namespace kbundle::cli
