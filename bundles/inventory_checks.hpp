// What has to hold between the records of an inventory. All throw Error{verification} naming the
// record.
#pragma once

#include "bundles/inventory.hpp"

namespace kbundle {

/// Every stored frame's content is at most this (what kbundle writes: 16 MiB).
inline constexpr std::uint64_t kMaxFrameContent = 1U << 30U;
/// Frame 0 and its padding together are at most this; kMaxEnvelopeSize twice, and some room.
inline constexpr std::uint64_t kMaxHeadSize = 64U << 20U;
/// head_size is a multiple of this.
inline constexpr std::uint64_t kHeadUnit = 64U << 10U;
/// Members of the tar stream are smaller than this (the 11 octal digits of ustar).
inline constexpr std::uint64_t kMaxMemberSize = 1ULL << 33U;

/// What is known before anything is packed: texts, names, paths, modes; images and files point to
/// blobs of the same size; blobs are sorted by digest, each once.
void check_records(const Inventory& inventory);

/// Where things lie: each blob's offset is the canonical one, the frames' contents make up the
/// whole body, head_size and stored sizes are within their limits.
void check_layout(const Inventory& inventory);

}  // namespace kbundle
