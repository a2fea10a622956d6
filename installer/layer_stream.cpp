#include "installer/layer_stream.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace kbundle {
namespace {

constexpr int kLargestWindow = 27;  // 128 MiB, as every default decoder accepts

[[noreturn]] void damaged(const std::string& why) {
  throw Error(ExitCode::verification, "a layer's compressed stream is damaged: " + why,
              "the image is broken where it came from; take another");
}

}  // namespace

// The compressed bytes, and what comes out of them.
class LayerStream::Decoder {
 public:
  explicit Decoder(std::unique_ptr<Source> blob) : blob_(std::move(blob)) {}
  virtual ~Decoder() = default;
  virtual std::size_t read(std::span<std::byte> buffer) = 0;

  std::span<const std::byte> first_bytes() {
    while (end_ < 4 && fill()) {
    }
    return {input_.data(), end_};
  }

 protected:
  Decoder(Decoder&& other) noexcept = default;
  std::span<const std::byte> input() const { return {input_.data() + begin_, end_ - begin_}; }
  void consume(std::size_t count) { begin_ += count; }
  /// Adds to the input; false at the end of the blob.
  bool fill() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ == input_.size()) return true;
    const auto count = blob_->read(std::span(input_).subspan(end_));
    end_ += count;
    return count > 0;
  }

 private:
  std::unique_ptr<Source> blob_;
  std::vector<std::byte> input_ = std::vector<std::byte>(kCopyBufferSize);
  std::size_t begin_ = 0, end_ = 0;
};

class LayerStream::Plain final : public Decoder {
 public:
  using Decoder::Decoder;
  explicit Plain(Decoder&& from) : Decoder(std::move(from)) {}
  std::size_t read(std::span<std::byte> buffer) override {
    if (input().empty() && !fill()) return 0;
    const auto count = std::min(buffer.size(), input().size());
    std::memcpy(buffer.data(), input().data(), count);
    consume(count);
    return count;
  }
};

class LayerStream::Gzip final : public Decoder {
 public:
  explicit Gzip(Decoder&& from) : Decoder(std::move(from)) {
    if (inflateInit2(&state_, 15 + 16) != Z_OK)
      throw Error(ExitCode::internal, "zlib has no memory for a stream");
    inflateValidate(&state_, 0);  // gzip's own checksum: the SHA-256 of all is compared
  }
  ~Gzip() override { inflateEnd(&state_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  std::size_t read(std::span<std::byte> buffer) override {
    for (;;) {
      if (input().empty() && !fill()) {
        if (!between_) damaged("it ends early");
        return 0;
      }
      if (between_ && started_ && inflateReset(&state_) != Z_OK) damaged("zlib");
      between_ = false;
      started_ = true;
      const auto bytes = input();
      // zlib does not write to its input.
      state_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
      state_.avail_in = static_cast<uInt>(bytes.size());
      state_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      state_.avail_out = static_cast<uInt>(buffer.size());
      const int result = inflate(&state_, Z_NO_FLUSH);
      consume(bytes.size() - state_.avail_in);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        damaged(state_.msg != nullptr ? state_.msg : "gzip");
      between_ = result == Z_STREAM_END;  // another member may follow
      const auto count = buffer.size() - state_.avail_out;
      if (count > 0) return count;
    }
  }

 private:
  z_stream state_{};
  bool between_ = true, started_ = false;
};

class LayerStream::Zstd final : public Decoder {
 public:
  explicit Zstd(Decoder&& from) : Decoder(std::move(from)), state_(ZSTD_createDCtx()) {
    if (state_ == nullptr) throw Error(ExitCode::internal, "zstd has no memory for a stream");
    ZSTD_DCtx_setParameter(state_, ZSTD_d_windowLogMax, kLargestWindow);
  }
  ~Zstd() override { ZSTD_freeDCtx(state_); }
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;

  std::size_t read(std::span<std::byte> buffer) override {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    for (;;) {
      const bool more = !input().empty() || fill();
      ZSTD_inBuffer in{input().data(), input().size(), 0};
      const auto result = ZSTD_decompressStream(state_, &out, &in);
      if (ZSTD_isError(result)) damaged(ZSTD_getErrorName(result));
      consume(in.pos);
      if (out.pos > 0) {
        inside_ = result != 0;
        return out.pos;
      }
      if (in.pos > 0) inside_ = result != 0;
      if (!more) {
        if (inside_) damaged("it ends early");
        return 0;
      }
    }
  }

 private:
  ZSTD_DCtx* state_;
  bool inside_ = true;
};

LayerStream::LayerStream(std::unique_ptr<Source> blob) {
  Plain plain(std::move(blob));
  const auto first = plain.first_bytes();
  const std::string_view text(reinterpret_cast<const char*>(first.data()), first.size());
  if (text.starts_with("\x1F\x8B")) {
    decoder_ = std::make_unique<Gzip>(std::move(plain));
  } else if (text.starts_with("\x28\xB5\x2F\xFD")) {
    decoder_ = std::make_unique<Zstd>(std::move(plain));
  } else {
    decoder_ = std::make_unique<Plain>(std::move(plain));
  }
}

LayerStream::~LayerStream() = default;

std::size_t LayerStream::read(std::span<std::byte> buffer) {
  const auto count = decoder_->read(buffer);
  hasher_.update(std::span<const std::byte>(buffer.first(count)));
  return count;
}

Digest LayerStream::finish() {
  std::vector<std::byte> buffer(kCopyBufferSize);
  while (read(buffer) > 0) {
  }
  return hasher_.finish();
}

}  // namespace kbundle
