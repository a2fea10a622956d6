// SHA256SUMS and SHA256SUMS.sig beside a bundle, so that a site checks everything on the stick, the
// kbundle executable too, with sha256sum and openssl before anything of it runs:
//   openssl pkeyutl -verify -rawin -pubin -inkey KEY -in SHA256SUMS -sigfile SHA256SUMS.sig
//   sha256sum -c SHA256SUMS
// With an ECDSA key: openssl dgst -sha256 -verify KEY -signature SHA256SUMS.sig SHA256SUMS
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bundles/keys.hpp"
#include "core/digest.hpp"

namespace kbundle {

inline constexpr const char* kSumsFile = "SHA256SUMS";
inline constexpr const char* kSumsSignatureFile = "SHA256SUMS.sig";

struct FileSum {
  std::string name;
  Digest digest;  ///< sha256
};

/// "<hex>  <name>" a line, sorted by name. Error{usage} for a name that sha256sum would have to
/// escape (a backslash, a line break) or that leaves the folder.
std::string sums_text(std::vector<FileSum> sums);

/// Hashes `names` in `folder`, then publishes both files there, the signature first removed: it is
/// never beside sums it does not belong to.
void write_sums(const std::filesystem::path& folder, const std::vector<std::string>& names,
                const PrivateKey& key);

}  // namespace kbundle
