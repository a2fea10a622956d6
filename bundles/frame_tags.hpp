// Frames that held once, recognised again for a tenth of the price.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/digest.hpp"

namespace kbundle {

/// A frame's stored bytes are compared with their signed SHA-256 the first time. From then on a
/// Poly1305 tag (RFC 8439, section 2.5) says whether they are still the same bytes. Its key is
/// random, for this one frame, and never leaves the process: whoever changes the file cannot make
/// bytes that fit. A server reads the same frames again and again. Thread-safe.
class FrameTags {
 public:
  explicit FrameTags(std::size_t frames) : tags_(frames) {}
  /// Whether `stored` is what the digest of frame `index` (from 0) says.
  bool holds(std::size_t index, std::span<const std::byte> stored, const Digest& digest);

 private:
  static constexpr std::size_t kKeySize = 32;
  static constexpr std::size_t kTagSize = 16;
  struct Tag {
    std::array<unsigned char, kKeySize> key{};
    std::array<unsigned char, kTagSize> value{};
  };
  static void compute(Tag& tag, std::span<const std::byte> stored);

  std::mutex mutex_;
  std::vector<std::optional<Tag>> tags_;
};

}  // namespace kbundle
