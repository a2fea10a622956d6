// Writes a bundle: one pass over the blobs, then the seek table, then the head. The output is a
// function of the inventory, the blobs and the key alone (with an ECDSA key, whose signatures are
// random, all but the signature is).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "bundles/inventory.hpp"
#include "bundles/keys.hpp"
#include "core/progress.hpp"
#include "core/stream.hpp"

namespace kbundle {

struct WriteOptions {
  int compression_level = 3;
  /// Frames compressed at once; 0: as many as there are processors, at most 8. Each takes about
  /// 50 MB at level 3. The output does not depend on it.
  std::size_t threads = 0;
  bool read_back = true;  ///< verify_deep() the file before it gets its name
};

struct WriteResult {
  std::uint64_t size = 0;  ///< of the file
  std::string id;          ///< "sha256:…" of the payload
};

/// Fills in `inventory`'s blobs (offsets), frames, head_size and libzstd_version, and publishes
/// `target` atomically. `inventory.blobs` names digests and sizes in any order; they are stored
/// sorted by digest. `open_blob` gives each blob's bytes; they are
/// hashed on the way and Error{verification} is thrown when they are not what the digest says.
/// `index_json` is made here from inventory.images and inventory.files:
///   - an image's digest once per name, with annotations io.containerd.image.name (full name) and
///     org.opencontainers.image.ref.name (tag)
///   - each file's blob as an unnamed artifact descriptor (media type application/octet-stream,
///     annotations vnd.kbundle.component and vnd.kbundle.path)
WriteResult write_bundle(const std::filesystem::path& target, Inventory inventory,
                         const std::function<std::unique_ptr<Source>(const Digest&)>& open_blob,
                         const PrivateKey& key, const WriteOptions& options, Progress& progress);

}  // namespace kbundle
