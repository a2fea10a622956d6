// Reads a bundle. A Bundle that exists has a head whose signature holds; verify_frames() then
// says whether every stored byte is what was signed. Blobs are decoded frame by frame, each
// frame's stored bytes hashed before zstd sees them, and the blob hashed again on the way out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bundles/frame_tags.hpp"
#include "bundles/inventory.hpp"
#include "bundles/keys.hpp"
#include "bundles/trust.hpp"
#include "core/file.hpp"
#include "core/progress.hpp"
#include "core/stream.hpp"

namespace kbundle {

struct Envelope;
struct Head;

class Bundle {
 public:
  /// Opens the file once, checks the head (frame 0, padding), the envelope and its signature, the
  /// file's exact size, and the seek table byte for byte. Nothing is decompressed by zstd: frame 0
  /// is raw blocks. With options.allow_unsigned, options.bundle_id must equal the payload's
  /// digest instead of a signature. Error{verification} says what and where.
  static Bundle open(const std::filesystem::path& path, const TrustStore& store,
                     const TrustOptions& options);

  /// As open(), for keys that are accepted already: the writer reads back what it wrote.
  static Bundle open_with_keys(const std::filesystem::path& path,
                               const std::vector<PublicKey>& accepted);

  const Inventory& inventory() const { return inventory_; }
  const std::string& id() const { return id_; }  ///< "sha256:…" of the payload
  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return file_->size(); }
  const std::vector<PublicKey>& signers() const { return signers_; }  ///< empty: --allow-unsigned
  const std::string& payload() const { return payload_; }

  struct BadFrame {
    std::size_t number;    ///< from 1
    std::uint64_t offset;  ///< in the file
    std::uint64_t size;
  };
  /// Hashes every stored frame; gives all that do not hold. Several at once, bounded memory.
  std::vector<BadFrame> bad_frames(Progress& progress) const;
  /// bad_frames(), and Error{verification} listing them and what to do.
  void verify(Progress& progress) const;
  /// verify(), then decodes everything: tar headers and padding compared with the canonical
  /// bytes, every blob hashed, index.json and oci-layout compared with the inventory; then every
  /// image's manifests are read and what they name is looked up.
  void verify_deep(Progress& progress) const;

  /// A blob's bytes as a stream that fails at the end unless the digest held. Throws
  /// Error{verification} when the bundle has no such blob. The Bundle must outlive the stream;
  /// several streams may be read at once by several threads. A stream takes the memory of one
  /// stored frame and its window: with kbundle's own bundles 0.2 MB for blobs that were compressed
  /// already (layers) and for small ones, and 33 MB at most for others (programs).
  std::unique_ptr<Source> open_blob(const Digest& digest) const;
  /// `size` bytes of a blob from `offset` on. Each frame's stored bytes are compared with its
  /// signed digest before any byte of it is given; the blob's own digest, of which this may be a
  /// part only, is not computed. Error{verification} when the blob is not there or ends before.
  std::unique_ptr<Source> open_blob_range(const Digest& digest, std::uint64_t offset,
                                          std::uint64_t size) const;
  /// A small blob in one piece.
  std::string read_blob(const Digest& digest, std::uint64_t limit = 4U << 20U) const;

 private:
  using Accept = std::function<std::vector<PublicKey>(const Envelope&)>;
  Bundle() = default;
  static Bundle open_checked(const std::filesystem::path& path, const Accept& accept);
  void read(const Accept& accept);
  void check_file(const Head& head) const;
  const BlobRecord& blob(const Digest& digest) const;
  std::string frame_name(std::size_t index) const;
  /// A window of the body (bundles/layout.hpp) as a stream.
  std::unique_ptr<Source> open_body(std::uint64_t offset, std::uint64_t size) const;
  class BodySource;
  std::filesystem::path path_;
  std::unique_ptr<FileRandomSource> file_;
  Inventory inventory_;
  std::string id_;
  std::string payload_;
  std::vector<PublicKey> signers_;
  std::unique_ptr<FrameTags> tags_;
  std::vector<std::uint64_t> frame_offsets_;    // of each frame in the file
  std::vector<std::uint64_t> content_offsets_;  // of each frame's content in the body
};

}  // namespace kbundle
