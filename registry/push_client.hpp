// Puts blobs and manifests into a registry over the OCI distribution protocol.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#push
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/stream.hpp"
#include "registry/client.hpp"
#include "registry/reference.hpp"
#include "registry/types.hpp"

namespace kbundle {

/// Thread-safe: one client serves several threads. What can be tried again is, with jitter, as
/// RegistryClient does; what then still goes wrong is Error{network}.
class PushClient {
 public:
  /// `state_folder` keeps the addresses of uploads under way, so that a killed run's are resumed
  /// by the next (files of mode 0600: such an address is a permission to write). Empty: none kept.
  explicit PushClient(TransportOptions options, std::filesystem::path state_folder = {});
  ~PushClient();

  /// HEAD of a manifest: its digest there, nullopt on 404.
  std::optional<Digest> manifest_digest(const Reference& reference);
  /// HEAD of a blob.
  bool has_blob(const Reference& repository, const Descriptor& descriptor);
  /// Asks the registry to take the blob over from another of its repositories. False when it would
  /// rather have it uploaded.
  bool mount(const Reference& repository, const Digest& digest, const std::string& from_repository);

  /// Gives the content from an offset on, to its end; called again when an upload goes on after a
  /// failure.
  using Content = std::function<std::unique_ptr<Source>(std::uint64_t offset)>;
  /// Uploads one blob in chunks, resuming where the registry says it stands. `on_bytes` is told
  /// each byte once. Error{verification} when the registry finds another digest.
  void blob(const Reference& repository, const Descriptor& descriptor, const Content& content,
            const std::function<void(std::uint64_t)>& on_bytes);
  /// PUT of the manifest's own bytes under the reference's tag, or its digest if it has no tag.
  /// Error{network} with what the registry said (MANIFEST_BLOB_UNKNOWN names a list's missing
  /// platforms).
  void manifest(const Reference& reference, std::string_view bytes, const std::string& media_type);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kbundle
