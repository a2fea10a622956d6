#include "core/stream.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/error.hpp"
#include "core/interrupt.hpp"

namespace kbundle {

void read_exactly(Source& source, std::span<std::byte> buffer, std::string_view what) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const auto count = source.read(buffer.subspan(filled));
    if (count == 0) {
      throw Error(ExitCode::verification, std::string(what) +
                                              " ends early: " + std::to_string(filled) + " of " +
                                              std::to_string(buffer.size()) + " bytes");
    }
    filled += count;
  }
}

void read_exactly_at(const RandomSource& source, std::uint64_t offset, std::span<std::byte> buffer,
                     std::string_view what) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const auto count = source.read_at(offset + filled, buffer.subspan(filled));
    if (count == 0) {
      throw Error(ExitCode::verification,
                  std::string(what) + " ends early, at byte " + std::to_string(offset + filled));
    }
    filled += count;
  }
}

std::uint64_t copy(Source& from, Sink& to, const std::function<void(std::uint64_t)>& on_bytes) {
  std::vector<std::byte> buffer(kCopyBufferSize);
  std::uint64_t total = 0;
  while (const auto count = from.read(buffer)) {
    throw_if_interrupted();
    to.write(std::span<const std::byte>(buffer.data(), count));
    total += count;
    if (on_bytes) on_bytes(count);
  }
  return total;
}

std::string read_all(Source& source, std::uint64_t limit, std::string_view what) {
  std::string text;
  std::vector<std::byte> buffer(64 * 1024);
  while (const auto count = source.read(buffer)) {
    if (text.size() + count > limit) {
      throw Error(ExitCode::verification, std::string(what) + " is larger than the limit of " +
                                              std::to_string(limit) + " bytes");
    }
    text.append(reinterpret_cast<const char*>(buffer.data()), count);
  }
  return text;
}

std::size_t StringSource::read(std::span<std::byte> buffer) {
  const auto count = std::min(buffer.size(), text_.size() - position_);
  if (count > 0) std::memcpy(buffer.data(), text_.data() + position_, count);
  position_ += count;
  return count;
}

void StringSink::write(std::span<const std::byte> bytes) {
  text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void HashingSink::write(std::span<const std::byte> bytes) {
  hasher_.update(bytes);
  size_ += bytes.size();
  next_.write(bytes);
}

VerifyingSource::VerifyingSource(std::unique_ptr<Source> next, Digest digest, std::uint64_t size,
                                 std::string what)
    : next_(std::move(next)),
      digest_(std::move(digest)),
      expected_size_(size),
      what_(std::move(what)),
      hasher_(digest_.algorithm()) {}

std::size_t VerifyingSource::read(std::span<std::byte> buffer) {
  if (finished_ || buffer.empty()) return 0;
  const auto left = expected_size_ - seen_;
  std::size_t count = 0;
  if (left > 0) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), left);
    count = next_->read(buffer.first(static_cast<std::size_t>(wanted)));
    hasher_.update(buffer.first(count));
    seen_ += count;
    if (count == 0) {
      throw Error(ExitCode::verification, what_ + " is too short: " + std::to_string(seen_) +
                                              " of " + std::to_string(expected_size_) + " bytes");
    }
  }
  if (seen_ == expected_size_) {
    std::byte extra{};
    if (next_->read(std::span(&extra, 1)) != 0) {
      throw Error(ExitCode::verification,
                  what_ + " is longer than its " + std::to_string(expected_size_) + " bytes");
    }
    const auto found = hasher_.finish();
    if (found != digest_) {
      throw Error(ExitCode::verification, what_ + " does not match its digest: wanted " +
                                              digest_.str() + ", found " + found.str());
    }
    finished_ = true;
  }
  return count;
}

std::size_t SliceSource::read(std::span<std::byte> buffer) {
  const auto wanted = std::min<std::uint64_t>(buffer.size(), left_);
  const auto count = from_.read_at(offset_, buffer.first(static_cast<std::size_t>(wanted)));
  offset_ += count;
  left_ -= count;
  return count;
}

}  // namespace kbundle
