// Well-known mirrors by name: a data file (manifests/mirror_presets.yaml, compiled in). What a rule
// means stands at registry/mirrors.hpp; here its two sides are text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kbundle {

struct MirrorPreset {
  std::string name;
  std::string note;                                        ///< for people; empty with a dead one
  std::vector<std::pair<std::string, std::string>> rules;  ///< FROM and TO as --mirror takes them
  std::string dead;                ///< what became of it, and when; empty: alive as far as known
  std::string instead;             ///< the preset to take in a dead one's place
  std::vector<std::string> hosts;  ///< hosts and namespaces that a dead one was known by
};

class MirrorPresets {
 public:
  /// Those compiled in.
  static const MirrorPresets& builtin();
  static MirrorPresets parse(std::string_view yaml, std::string_view what);  ///< Error{internal}

  /// In the file's order: the living, then the dead.
  const std::vector<MirrorPreset>& all() const { return presets_; }
  /// By name, or by a dead one's host. Error{usage} naming the living ones, or what died and what
  /// to take in its place.
  const MirrorPreset& find(std::string_view name) const;
  /// The dead preset that this place ("gcr.azk8s.cn/google_containers", a URL too) belongs to;
  /// nullptr when none is known to be dead.
  const MirrorPreset* dead_place(std::string_view place) const;

 private:
  std::vector<MirrorPreset> presets_;
};

}  // namespace kbundle
