// Content digests, as the OCI image specification writes them ("sha256:<64 hex digits>").
// https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md#digests
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace kbundle {

/// A valid digest: a Digest that exists has a known algorithm (sha256 or sha512) and lower-case
/// hex of the right length. A default-constructed Digest is empty() and equals no parsed one.
class Digest {
 public:
  Digest() = default;
  /// Throws Error{verification} for anything that is not "<algorithm>:<hex>".
  static Digest parse(std::string_view text);
  /// `hex` alone, as release sums are published; the length chooses sha256 or sha512.
  static Digest from_hex(std::string_view hex);

  const std::string& str() const noexcept { return text_; }  ///< "sha256:…"
  std::string algorithm() const;                             ///< "sha256"
  std::string hex() const;                                   ///< without the algorithm
  std::string short_hex() const;                             ///< first 12 digits, for people
  bool empty() const noexcept { return text_.empty(); }
  auto operator<=>(const Digest&) const = default;

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// Incremental hash of one algorithm.
class Hasher {
 public:
  explicit Hasher(std::string_view algorithm = "sha256");
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes);
  /// The digest of what came so far; the Hasher cannot be used afterwards.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-256 of a whole buffer.
Digest sha256(std::string_view bytes);

}  // namespace kbundle

template <>
struct std::hash<kbundle::Digest> {
  std::size_t operator()(const kbundle::Digest& digest) const noexcept {
    return std::hash<std::string>{}(digest.str());
  }
};
