#include "bundles/frames.hpp"

#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "core/error.hpp"

namespace kbundle {
namespace {

constexpr std::uint32_t kZstdMagic = 0xFD2FB528;
constexpr char kRawDescriptor = static_cast<char>(0xA0);  // 4-byte content size, single segment
constexpr std::uint64_t kRawBlock = 128 * 1024;           // the largest block zstd allows
constexpr std::size_t kBlockHeader = 3;
constexpr std::uint32_t kSeekTableMagic = 0x184D2A5E;
constexpr std::uint32_t kSeekableMagic = 0x8F92EAB1;
constexpr std::size_t kSeekEntry = 8;
constexpr std::size_t kSeekFooter = 9;
constexpr int kWindowLog = 24;
constexpr int kMaxWindowLog = 27;

void append_le(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
}

std::uint64_t blocks_of(std::uint64_t content_size) {
  return std::max<std::uint64_t>(1, (content_size + kRawBlock - 1) / kRawBlock);
}

void must(std::size_t code, const char* action) {
  if (ZSTD_isError(code) != 0) {
    throw Error(ExitCode::internal, std::string(action) + ": " + ZSTD_getErrorName(code));
  }
}

}  // namespace

std::uint64_t raw_frame_size(std::uint64_t content_size) {
  return kRawFrameHeaderSize + blocks_of(content_size) * kBlockHeader + content_size;
}

std::string raw_frame(std::string_view content) {
  std::string frame;
  frame.reserve(raw_frame_size(content.size()));
  append_le(frame, kZstdMagic, 4);
  frame += kRawDescriptor;
  append_le(frame, content.size(), 4);
  do {
    const auto block = content.substr(0, kRawBlock);
    content.remove_prefix(block.size());
    // Bit 0: the last block; bits 1 and 2: type 0, raw; then the size.
    append_le(frame, block.size() << 3U | (content.empty() ? 1U : 0U), kBlockHeader);
    frame += block;
  } while (!content.empty());
  return frame;
}

std::uint64_t raw_frame_content_size(std::span<const std::byte> header) {
  std::string wanted;
  append_le(wanted, kZstdMagic, 4);
  wanted += kRawDescriptor;
  if (header.size() < kRawFrameHeaderSize ||
      std::memcmp(header.data(), wanted.data(), wanted.size()) != 0) {
    throw Error(ExitCode::verification, "the file does not begin as a bundle does",
                "name a .tar.zst file that kbundle wrote; if it is one, copy it again");
  }
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < 4; ++i)
    size |= std::to_integer<std::uint64_t>(header[5 + i]) << 8 * i;
  return size;
}

std::string raw_frame_content(std::string_view stored, std::uint64_t content_size) {
  std::string content;
  content.reserve(content_size);
  stored.remove_prefix(kRawFrameHeaderSize);
  while (content.size() < content_size) {
    const auto size = std::min<std::uint64_t>(kRawBlock, content_size - content.size());
    stored.remove_prefix(kBlockHeader);
    content += stored.substr(0, size);
    stored.remove_prefix(size);
  }
  return content;
}

std::string skippable_header(std::uint32_t magic, std::uint64_t content_size) {
  std::string header;
  append_le(header, magic, 4);
  append_le(header, content_size, 4);
  return header;
}

void check_level(int level) {
  if (level < 1 || level > ZSTD_maxCLevel()) {
    throw Error(ExitCode::usage, "there is no compression level " + std::to_string(level),
                "use a level from 1 (fast) to " + std::to_string(ZSTD_maxCLevel()) + " (small)");
  }
}

std::string compress_frame(std::span<const std::byte> content, int level) {
  // A context of its own for each frame: nothing of an earlier frame can reach this one's bytes.
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx);
  if (context == nullptr) throw Error(ExitCode::internal, "no memory for a zstd context");
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    must(ZSTD_CCtx_setParameter(context.get(), parameter, value), "set a zstd parameter");
  };
  set(ZSTD_c_compressionLevel, level);
  set(ZSTD_c_windowLog, kWindowLog);
  set(ZSTD_c_contentSizeFlag, 1);
  set(ZSTD_c_checksumFlag, 1);
  std::string stored(stored_bound(content.size()), '\0');
  const auto size =
      ZSTD_compress2(context.get(), stored.data(), stored.size(), content.data(), content.size());
  must(size, "compress a frame");
  stored.resize(size);
  return stored;
}

struct FrameDecoder::State {
  std::vector<std::byte> stored;
  std::uint64_t left;
  std::string what;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context{nullptr, &ZSTD_freeDCtx};
  ZSTD_inBuffer input{};
  bool ended = false;
  bool raw = false;  // a raw_frame(): `input` and `context` are not used
  std::uint64_t raw_size = 0;

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ExitCode::verification, what + ": " + why,
                "the bundle was built wrongly; build it again");
  }

  // The next bytes of a raw frame: what is left of the block that they lie in.
  std::size_t copy_raw(std::span<std::byte> buffer) const {
    const std::uint64_t done = raw_size - left;
    const std::uint64_t block = done / kRawBlock;
    const auto in_block = std::min(left, (block + 1) * kRawBlock - done);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), in_block));
    const auto at = kRawFrameHeaderSize + (block + 1) * kBlockHeader + done;
    std::memcpy(buffer.data(), stored.data() + at, count);
    return count;
  }

  // One step of the decoder; how many bytes it gave.
  std::size_t step(std::span<std::byte> buffer) {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    const auto before = input.pos;
    const auto code = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(code) != 0) refuse(std::string("not valid zstd: ") + ZSTD_getErrorName(code));
    ended = code == 0;
    if (!ended && output.pos == 0 && input.pos == before) refuse("the zstd frame ends early");
    return output.pos;
  }
};

// Whether every block header is the one that raw_frame() writes there.
bool is_raw_frame(std::span<const std::byte> stored, std::uint64_t content_size) {
  if (stored.size() != raw_frame_size(content_size)) return false;
  std::string head;
  append_le(head, kZstdMagic, 4);
  head += kRawDescriptor;
  append_le(head, content_size, 4);
  if (std::memcmp(stored.data(), head.data(), head.size()) != 0) return false;
  std::size_t at = head.size();
  for (std::uint64_t done = 0; done < content_size;) {
    const auto size = std::min(kRawBlock, content_size - done);
    done += size;
    std::string block;
    append_le(block, size << 3U | (done == content_size ? 1U : 0U), kBlockHeader);
    if (std::memcmp(stored.data() + at, block.data(), block.size()) != 0) return false;
    at += kBlockHeader + size;
  }
  return true;
}

FrameDecoder::FrameDecoder(std::vector<std::byte> stored, std::uint64_t content_size,
                           std::string what)
    : state_(new State{std::move(stored), content_size, std::move(what)}) {
  auto& state = *state_;
  state.raw = content_size > 0 && is_raw_frame(state.stored, content_size);
  state.raw_size = content_size;
  if (state.raw) return;
  state.context.reset(ZSTD_createDCtx());
  if (state.context == nullptr) throw Error(ExitCode::internal, "no memory for a zstd context");
  must(ZSTD_DCtx_setParameter(state.context.get(), ZSTD_d_windowLogMax, kMaxWindowLog),
       "set a zstd parameter");
  state.input = {state.stored.data(), state.stored.size(), 0};
  const auto declared = ZSTD_getFrameContentSize(state.stored.data(), state.stored.size());
  if (declared != content_size) {
    state.refuse("its zstd header does not declare the " + std::to_string(content_size) +
                 " bytes of content that the inventory gives");
  }
}

FrameDecoder::~FrameDecoder() = default;

std::size_t FrameDecoder::read(std::span<std::byte> buffer) {
  auto& state = *state_;
  if (buffer.empty() || (state.raw && state.left == 0)) return 0;
  if (state.raw) {
    const auto count = state.copy_raw(buffer);
    state.left -= count;
    return count;
  }
  const auto wanted = std::min<std::uint64_t>(buffer.size(), state.left);
  std::size_t count = 0;
  while (wanted > 0 && count == 0) {
    if (state.ended) state.refuse("the zstd frame is shorter than it declares");
    count = state.step(buffer.first(static_cast<std::size_t>(wanted)));
  }
  state.left -= count;
  if (state.left == 0) {
    // All content is out: what follows may only be the checksum, and nothing after it.
    std::byte extra{};
    while (!state.ended) {
      if (state.step(std::span(&extra, 1)) != 0) state.refuse("more content than it declares");
    }
    if (state.input.pos != state.input.size) state.refuse("bytes follow the zstd frame");
  }
  return count;
}

std::string seek_table(std::uint64_t frame0_stored, std::uint64_t frame0_content,
                       std::uint64_t head_size, const std::vector<FrameRecord>& frames) {
  const std::size_t entries = frames.size() + 2;
  std::string table = skippable_header(kSeekTableMagic, entries * kSeekEntry + kSeekFooter);
  append_le(table, frame0_stored, 4);
  append_le(table, frame0_content, 4);
  append_le(table, head_size - frame0_stored, 4);
  append_le(table, 0, 4);
  for (const auto& frame : frames) {
    append_le(table, frame.stored_size, 4);
    append_le(table, frame.content_size, 4);
  }
  append_le(table, entries, 4);
  table += '\0';  // descriptor: no checksums
  append_le(table, kSeekableMagic, 4);
  return table;
}

std::uint64_t seek_table_size(std::size_t frames) {
  return kSkippableHeaderSize + (frames + 2) * kSeekEntry + kSeekFooter;
}

}  // namespace kbundle
