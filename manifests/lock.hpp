// bundle.lock: what a version resolved to. With the same lock, the same kbundle makes the same
// bundle, bit for bit, wherever the bytes come from. JSON, sorted keys, two spaces.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace kbundle {

/// A signature, SBOM or the like that belongs to an image.
struct LockedReferrer {
  Digest subject;
  Digest digest;
  std::string media_type;
  std::uint64_t size = 0;
  std::string tag;  ///< cosign's; or empty
};

struct LockedImage {
  std::string name;  ///< upstream's full reference
  Digest digest;     ///< what upstream answered for the tag
  std::string media_type;
  std::uint64_t size = 0;
  std::vector<LockedReferrer> referrers{};  ///< written only where there are some
};

struct LockedFile {
  std::string component;
  std::string version;
  std::string architecture;
  std::string url;  ///< upstream's
  Digest digest;
  std::uint64_t size = 0;
  std::string sum;  ///< "published" (held against the project's sum) or "recorded"
};

struct Lock {
  int format = 1;
  std::string kbundle_version;
  std::string kubernetes_version;
  std::string line;
  std::uint64_t serial = 1;
  std::string created;  ///< RFC 3339, UTC
  std::vector<std::string> architectures;
  std::string cni;                   ///< "flannel v0.12.0", "file", "none"
  std::vector<std::string> without;  ///< components left out
  std::vector<std::string> with;     ///< optional ones; written only where there are some
  std::vector<LockedImage> images;
  std::vector<LockedFile> files;  ///< release files, and the CNI manifest

  std::string serialize() const;
  static Lock parse(std::string_view text, std::string_view what);  ///< Error{verification}
};

}  // namespace kbundle
