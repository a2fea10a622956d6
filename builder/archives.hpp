// Takes files out of release archives (.tar.gz). libarchive reads; nothing is ever unpacked to a
// path: each member becomes a blob named by its digest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/stream.hpp"
#include "registry/blob_store.hpp"

namespace kbundle {

struct ArchiveMember {
  std::string name;  ///< without a leading ./
  Digest digest;
  std::uint64_t size = 0;
  bool executable = false;
};

struct ArchiveLimits {
  std::uint64_t member = 1ULL << 30U;  ///< bytes of one member
  std::uint64_t total = 4ULL << 30U;   ///< bytes of all, so that a bomb ends somewhere
  std::size_t entries = 10'000;
};

/// Puts every regular file of a tar (gzip or plain) into the store, in the archive's order.
/// The whole archive is refused, Error{verification} naming `what` and the entry, for: absolute
/// names, "..", control characters, a name twice, links of both kinds, devices, FIFOs, setuid
/// bits, extended attributes, sizes over the limits, and damage.
std::vector<ArchiveMember> store_members(Source& archive, std::string_view what, BlobStore& store,
                                         const ArchiveLimits& limits = {});

}  // namespace kbundle
