// In which order images are loaded when several are at once: no layer that two images share is
// brought and unpacked twice at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "core/digest.hpp"

namespace kbundle {

/// Not thread-safe: the caller locks.
class ImageSchedule {
 public:
  struct Item {
    std::set<Digest> layers;
    std::uint64_t size = 0;  ///< bytes; larger ones start first, so that none is left for the end
  };
  /// Layers in `present` are there already and keep nobody waiting.
  ImageSchedule(std::vector<Item> items, std::set<Digest> present);

  /// An image none of whose missing layers is under way now; nullopt: wait for a finish(), or all
  /// were started.
  std::optional<std::size_t> start();
  /// Its layers are there now.
  void finish(std::size_t item);
  bool all_started() const { return waiting_.empty(); }
  const std::set<Digest>& present() const { return present_; }

 private:
  std::vector<Item> items_;
  std::vector<std::size_t> waiting_;  // largest first
  std::set<Digest> present_, under_way_;
};

}  // namespace kbundle
