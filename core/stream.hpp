// Byte streams with bounded memory: Source gives bytes, Sink takes them, RandomSource reads at an
// offset. Adaptors hash, limit and verify. Sizes are bytes; errors are thrown as Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace kbundle {

/// The size of the buffers that copies go through.
inline constexpr std::size_t kCopyBufferSize = 256 * 1024;

class Source {
 public:
  virtual ~Source() = default;
  /// Reads up to buffer.size() bytes; returns how many, 0 only at the end.
  virtual std::size_t read(std::span<std::byte> buffer) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  /// Takes all of `bytes` or throws.
  virtual void write(std::span<const std::byte> bytes) = 0;
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
};

class RandomSource {
 public:
  virtual ~RandomSource() = default;
  /// Total size in bytes.
  virtual std::uint64_t size() const = 0;
  /// Reads up to buffer.size() bytes at `offset`; fewer only at the end.
  virtual std::size_t read_at(std::uint64_t offset, std::span<std::byte> buffer) const = 0;
};

/// Reads until `buffer` is full; throws Error{verification} naming `what` when the end comes first.
void read_exactly(Source& source, std::span<std::byte> buffer, std::string_view what);
void read_exactly_at(const RandomSource& source, std::uint64_t offset, std::span<std::byte> buffer,
                     std::string_view what);

/// Copies to the end; returns the count. `on_bytes` (optional) is told each chunk's size.
/// Throws Error{interrupted} when a stop was asked for (core/interrupt.hpp).
std::uint64_t copy(Source& from, Sink& to,
                   const std::function<void(std::uint64_t)>& on_bytes = nullptr);

/// Everything that is left, at most `limit` bytes; more is Error{verification} naming `what`.
std::string read_all(Source& source, std::uint64_t limit, std::string_view what);

class StringSource final : public Source {
 public:
  explicit StringSource(std::string text) : text_(std::move(text)) {}
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  std::string text_;
  std::size_t position_ = 0;
};

class StringSink final : public Sink {
 public:
  using Sink::write;
  void write(std::span<const std::byte> bytes) override;
  const std::string& str() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// Passes bytes on and hashes them on the way.
class HashingSink final : public Sink {
 public:
  explicit HashingSink(Sink& next, std::string_view algorithm = "sha256")
      : next_(next), hasher_(algorithm) {}
  using Sink::write;
  void write(std::span<const std::byte> bytes) override;
  std::uint64_t size() const { return size_; }
  Digest finish() { return hasher_.finish(); }

 private:
  Sink& next_;
  Hasher hasher_;
  std::uint64_t size_ = 0;
};

/// Passes on what `next` gives, and throws Error{verification} at the end (or as soon as it runs
/// over) unless exactly `size` bytes with `digest` came. The last chunk is handed out only after
/// the digest held.
class VerifyingSource final : public Source {
 public:
  VerifyingSource(std::unique_ptr<Source> next, Digest digest, std::uint64_t size,
                  std::string what);
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  std::unique_ptr<Source> next_;
  Digest digest_;
  std::uint64_t expected_size_;
  std::string what_;
  Hasher hasher_;
  std::uint64_t seen_ = 0;
  bool finished_ = false;
};

/// A window of a RandomSource as a stream. The RandomSource must outlive it.
class SliceSource final : public Source {
 public:
  SliceSource(const RandomSource& from, std::uint64_t offset, std::uint64_t size)
      : from_(from), offset_(offset), left_(size) {}
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  const RandomSource& from_;
  std::uint64_t offset_;
  std::uint64_t left_;
};

}  // namespace kbundle
