// The signed list of everything in a bundle. It is the DSSE payload of kbundle.dsse.json, as
// canonical JSON (docs/bundle-format.md gives every field). All sizes and offsets are bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "registry/types.hpp"

namespace kbundle {

inline constexpr int kInventoryFormat = 1;
inline constexpr const char* kInventoryPayloadType = "application/vnd.kbundle.inventory.v1+json";

/// One platform of an image that the bundle carries.
struct ImagePlatform {
  Platform platform;
  Digest manifest;  ///< the platform's manifest
  Digest config;    ///< the image ID, as Docker calls it
};

/// A manifest that belongs to an image: a signature, an SBOM, an attestation.
/// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#listing-referrers
struct ReferrerRecord {
  Digest subject;  ///< the image's digest, one of its manifests, or another referrer
  Digest digest;
  std::string media_type;
  std::uint64_t size = 0;  ///< of the document behind `digest`
  std::string tag;         ///< under which cosign looks for it ("sha256-….sig"); or empty
};

/// An image under the names the cluster will ask for.
struct ImageRecord {
  std::vector<std::string> names;  ///< full references, the upstream name first
  Digest digest;                   ///< what upstream answers for the tag: an index or a manifest
  std::string media_type;          ///< of `digest`
  std::uint64_t size = 0;          ///< of the document behind `digest`
  std::vector<ImagePlatform> platforms;
  std::vector<ReferrerRecord> referrers{};  ///< written only where there are some
};

/// A file that install places on a node.
struct FileRecord {
  std::string component;  ///< "kubeadm", "cni-plugins", "containerd", "cni-manifest", …
  std::string path;       ///< absolute, on the node
  std::uint32_t mode = 0644;
  Platform platform;  ///< empty architecture: every platform
  Digest digest;
  std::uint64_t size = 0;
  std::string version;  ///< of the component it belongs to, "v1.18.2"
};

/// How and where a blob lies in the body: the uncompressed tar stream after kbundle.dsse.json,
/// which is the content of frames 1…n. (Counted from there, offsets do not depend on the envelope's
/// size.)
struct BlobRecord {
  Digest digest;
  std::uint64_t size = 0;
  std::string stored = "identity";  ///< as it is; recipes come later under other words
  std::uint64_t offset = 0;         ///< of its first content byte in the body
};

/// One zstd frame after the head; they are numbered from 1.
struct FrameRecord {
  std::uint64_t stored_size = 0;
  std::uint64_t content_size = 0;
  Digest digest;  ///< SHA-256 of the stored bytes
};

/// What a node needs to have free before install begins.
struct Budgets {
  std::uint64_t disk_runtime = 0;   ///< images, in the container runtime's root
  std::uint64_t disk_programs = 0;  ///< programs and units, in /usr and /opt
  std::uint64_t disk_state = 0;     ///< etcd, kubelet and kbundle, in /var/lib
  std::uint64_t memory = 0;         ///< for a control-plane node
};

struct Inventory {
  int format = kInventoryFormat;
  std::string line;          ///< the series a serial counts in, "kubernetes-v1.18-linux-amd64"
  std::uint64_t serial = 1;  ///< rises with each release of the line (anti-rollback)
  std::string created;       ///< RFC 3339, UTC; the lock's
  std::string kubernetes_version;  ///< "v1.18.2"
  std::vector<Platform> platforms;
  std::string cni;  ///< "flannel v0.12.0", "none", "file"
  std::vector<ImageRecord> images;
  std::vector<FileRecord> files;
  std::vector<BlobRecord> blobs;    ///< in the order of their offsets
  std::vector<FrameRecord> frames;  ///< in file order
  std::uint64_t head_size = 0;      ///< frame 0 and its padding; a multiple of 64 KiB
  Budgets budgets;
  std::string kbundle_version;
  std::string libzstd_version;

  const BlobRecord* find_blob(const Digest& digest) const;
  const FileRecord* find_file(std::string_view component, const Platform& platform) const;

  /// Canonical JSON, the signed bytes.
  std::string serialize() const;
  /// Strict: unknown format, missing or extra fields, offsets or frames that do not fit together
  /// are Error{verification}. Limits: 16 MiB, depth 8, 2^20 records of each kind.
  static Inventory parse(std::string_view bytes);
};

}  // namespace kbundle
