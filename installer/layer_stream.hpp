// An image layer's content as the tar it is, whatever it is compressed with, hashed on the way:
// its SHA-256 is the diff ID that the image's config promises.
#pragma once

#include <memory>

#include "core/digest.hpp"
#include "core/stream.hpp"

namespace kbundle {

class LayerStream final : public Source {
 public:
  /// Compression is told by the first bytes, as containerd does: gzip (RFC 1952), zstd (RFC 8878),
  /// or none.
  explicit LayerStream(std::unique_ptr<Source> blob);
  ~LayerStream() override;
  /// Error{verification} for a damaged stream.
  std::size_t read(std::span<std::byte> buffer) override;
  /// Reads what is left and gives the digest of all.
  Digest finish();

 private:
  class Decoder;
  class Plain;
  class Gzip;
  class Zstd;
  std::unique_ptr<Decoder> decoder_;
  Hasher hasher_;
};

}  // namespace kbundle
