// The head of a bundle: frame 0, which holds the member kbundle.dsse.json in zstd raw blocks, and
// the padding frame up to head_size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bundles/envelope.hpp"
#include "bundles/inventory.hpp"
#include "core/stream.hpp"

namespace kbundle {

inline constexpr const char* kEnvelopeMember = "kbundle.dsse.json";

/// The head_size for an inventory whose blobs have their offsets, with frames of these content
/// sizes: room for twice the largest envelope this can become, rounded up to 64 KiB.
/// Error{usage} when the envelope would pass its limit.
std::uint64_t plan_head_size(const Inventory& inventory);

struct Head {
  std::string envelope;              ///< the bytes of kbundle.dsse.json
  std::uint64_t frame0_stored = 0;   ///< bytes in the file
  std::uint64_t frame0_content = 0;  ///< bytes in the tar stream
};

/// The whole head, `head_size` bytes.
std::string build_head(std::string_view envelope, std::uint64_t head_size);
Head describe_head(std::string_view envelope);

/// Reads frame 0 and compares every byte of it with what it must be; the envelope itself is not
/// looked into. Error{verification}: no bundle, "the file ends inside its header", or where a byte
/// differs.
Head read_head(const RandomSource& file);

/// Compares the padding, from the end of frame 0 to head_size. Error{verification} with the offset.
void check_padding(const RandomSource& file, const Head& head, std::uint64_t head_size);

}  // namespace kbundle
