// zstd frames as a bundle holds them (RFC 8878), and the seek table behind them.
// https://github.com/facebook/zstd/blob/v1.5.4/contrib/seekable_format/zstd_seekable_compression_format.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bundles/inventory.hpp"
#include "core/stream.hpp"

namespace kbundle {

/// The most bytes a frame with this much content may take: ZSTD_compressBound, written out so that
/// it never changes.
constexpr std::uint64_t stored_bound(std::uint64_t content_size) {
  return content_size + content_size / 256 + 1024;
}

// ---- frames of raw blocks: frame 0, built by hand so that no decoder runs before the signature
// held, and those of blobs that are compressed already

/// The stored size of a frame of raw blocks.
std::uint64_t raw_frame_size(std::uint64_t content_size);
/// A frame in raw blocks of 128 KiB: single segment, a 4-byte content size, no checksum.
std::string raw_frame(std::string_view content);
/// The first bytes of such a frame.
inline constexpr std::size_t kRawFrameHeaderSize = 9;
/// Content size from the header of a raw_frame(); Error{verification} when it is none.
std::uint64_t raw_frame_content_size(std::span<const std::byte> header);
/// The content of a raw_frame(), taken out block by block; the caller compares the rest by building
/// the frame again. `stored` has raw_frame_size() bytes.
std::string raw_frame_content(std::string_view stored, std::uint64_t content_size);

/// A skippable frame (magic 0x184D2A50) of `size` bytes in all, zero-filled: its first 8 bytes.
inline constexpr std::size_t kSkippableHeaderSize = 8;
std::string skippable_header(std::uint32_t magic, std::uint64_t content_size);
inline constexpr std::uint32_t kPaddingMagic = 0x184D2A50;

// ---- frames 1…n

/// One compressed frame: content size in the header, XXH64 checksum on (so that `zstd -t` finds
/// damage without kbundle), window at most 2^24, one thread, a context of its own. The bytes are a
/// function of content, level and the release of libzstd.
std::string compress_frame(std::span<const std::byte> content, int level);
/// Error{usage} for a level libzstd does not have (1 … 22).
void check_level(int level);

/// Decodes one frame from its stored bytes, which its caller has hashed. Of a raw_frame() it takes
/// the content without zstd, in no more memory than the frame. The declared content size
/// is a hard limit, the window at most 2^27. Error{verification} naming `what`.
class FrameDecoder {
 public:
  FrameDecoder(std::vector<std::byte> stored, std::uint64_t content_size, std::string what);
  ~FrameDecoder();
  FrameDecoder(const FrameDecoder&) = delete;
  FrameDecoder& operator=(const FrameDecoder&) = delete;

  /// Up to buffer.size() bytes of content; 0 at the end, once the frame ended where it must.
  std::size_t read(std::span<std::byte> buffer);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// ---- the seek table

/// Entries for frame 0, the padding (content 0) and frames 1…n; no checksums.
std::string seek_table(std::uint64_t frame0_stored, std::uint64_t frame0_content,
                       std::uint64_t head_size, const std::vector<FrameRecord>& frames);
std::uint64_t seek_table_size(std::size_t frames);

}  // namespace kbundle
