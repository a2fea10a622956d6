// A content-addressed folder, laid out as an OCI image layout's blobs/ is:
//   ROOT/blobs/sha256/<hex>          complete, verified blobs
//   ROOT/partial/sha256-<hex>.part   what a killed or broken download left, resumed later
// https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md#blobs
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "core/digest.hpp"
#include "core/file.hpp"
#include "core/stream.hpp"

namespace kbundle {

class BlobStore {
 public:
  /// Makes the folders when they are missing.
  explicit BlobStore(std::filesystem::path root);

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path path_of(const Digest& digest) const;
  /// Size in bytes if the blob is there. A blob in blobs/ was verified when it was put there; the
  /// packer hashes it again on use.
  std::optional<std::uint64_t> find(const Digest& digest) const;
  std::unique_ptr<Source> open(const Digest& digest, std::uint64_t offset = 0) const;
  /// How many bytes of it a broken-off download left.
  std::uint64_t partial_size(const Digest& digest) const;
  /// A small blob in one piece (manifests), verified. Error{verification} when it does not match
  /// or is larger than `limit`.
  std::string read(const Digest& digest, std::uint64_t limit = 4U << 20U) const;
  /// As read(), but nullopt when there is no such blob of `size` bytes; a damaged one is removed,
  /// so that it is fetched again.
  std::optional<std::string> read_if_sound(const Digest& digest, std::uint64_t size,
                                           std::uint64_t limit = 4U << 20U);
  void put(const Digest& digest, std::string_view bytes);
  /// Removes a blob whose content turned out wrong.
  void remove(const Digest& digest);

  /// An append-only download of one blob. Only one at a time per digest (Error{busy}).
  class Partial {
   public:
    Partial(Partial&&) noexcept;
    ~Partial();
    /// How many bytes an earlier run left (already hashed again when it was opened).
    std::uint64_t offset() const;
    void append(std::span<const std::byte> bytes);
    /// Throws the content away, to start over at 0.
    void restart();
    /// Checks size and digest, fsyncs and publishes; Error{verification} (and the content gone)
    /// when they do not hold.
    void commit(std::uint64_t expected_size);
    /// For content whose digest nobody published: publishes it under the digest it turned out to
    /// have, whatever the digest was that this Partial was opened by.
    Digest publish_as_found();

   private:
    friend class BlobStore;
    struct State;
    explicit Partial(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };
  Partial open_partial(const Digest& digest);

 private:
  std::filesystem::path root_;
};

}  // namespace kbundle
