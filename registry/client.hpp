// Pulls from registries over the OCI distribution protocol, and files over HTTPS, with libcurl.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pull
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "registry/blob_store.hpp"
#include "registry/reference.hpp"
#include "registry/types.hpp"

namespace kbundle {

struct TransportOptions {
  std::filesystem::path ca_file;             ///< extra CA certificates (PEM); empty: the system's
  std::filesystem::path client_certificate;  ///< shown to servers that ask for one (PEM); or empty
  std::filesystem::path client_key;          ///< its key; empty: in the same file
  std::vector<std::string> plain_http;       ///< hosts ("localhost:5000") that speak HTTP
  std::chrono::seconds connect_timeout{15};
  std::chrono::seconds stall_timeout{30};  ///< no byte for so long: the transfer is resumed
  int attempts = 5;                        ///< per place, for what can be tried again
  /// Credentials, config.json or auth.json; empty: where docker and podman leave theirs.
  std::filesystem::path docker_config;
  std::size_t per_host = 8;  ///< transfers at once with one host, at most; fewer when it is pressed
};

struct ManifestAnswer {
  std::string bytes;
  std::string media_type;
  Digest digest;  ///< of `bytes`; compared with Docker-Content-Digest and the asked digest
};

/// A manifest that belongs to an image: a signature, an SBOM, an attestation.
struct Referrer {
  Descriptor descriptor;
  /// Where it is found by a tag derived from the image's digest, as cosign does; else empty.
  std::string tag;
};

/// Thread-safe: one client serves several threads.
class RegistryClient {
 public:
  explicit RegistryClient(TransportOptions options);
  ~RegistryClient();

  /// GET /v2/<repository>/manifests/<target>. nullopt on 404 (no such image here); everything else
  /// that goes wrong is Error{network} or, for wrong bytes, Error{verification}.
  std::optional<ManifestAnswer> manifest(const Reference& reference);

  /// What refers to the manifest or index with `reference`'s digest: the referrers API, else the
  /// tag that stands in for it, and cosign's tags. None is an empty list.
  /// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#listing-referrers
  std::vector<Referrer> referrers(const Reference& reference);

  /// GET /v2/<repository>/blobs/<digest> into the store; resumes what an earlier run left.
  /// Returns false on 404.
  bool blob(const Reference& repository, const Descriptor& descriptor, BlobStore& store,
            const std::function<void(std::uint64_t)>& on_bytes);

  /// A small file (sums, manifests) in one piece; nullopt on 404.
  std::optional<std::string> file(const std::string& url, std::uint64_t limit);

  /// A large file whose digest is known, into the store. Returns false on 404.
  bool download(const std::string& url, const Digest& digest, BlobStore& store,
                const std::function<void(std::uint64_t total)>& on_total,
                const std::function<void(std::uint64_t)>& on_bytes);
  /// A large file without a published sum: its digest is found out. nullopt on 404.
  struct Found {
    Digest digest;
    std::uint64_t size;
  };
  std::optional<Found> download_unknown(const std::string& url, BlobStore& store,
                                        const std::function<void(std::uint64_t)>& on_bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kbundle
