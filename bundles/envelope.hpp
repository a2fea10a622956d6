// DSSE, the Dead Simple Signing Envelope v1.0: https://github.com/secure-systems-lab/dsse
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bundles/keys.hpp"

namespace kbundle {

/// Before a signature holds, this is all that is parsed: at most 16 MiB, depth 4.
inline constexpr std::uint64_t kMaxEnvelopeSize = 16U << 20U;

struct EnvelopeSignature {
  std::string keyid;      ///< PublicKey::id()
  std::string signature;  ///< raw bytes
};

struct Envelope {
  std::string payload_type;
  std::string payload;  ///< raw bytes
  std::vector<EnvelopeSignature> signatures;

  /// The pre-authentication encoding that is signed.
  static std::string pae(std::string_view payload_type, std::string_view payload);
  /// Canonical JSON with canonical base64: the one spelling a bundle may hold.
  std::string serialize() const;
  /// Parses and refuses every other spelling. Error{verification}.
  static Envelope parse(std::string_view bytes);
  void sign(const PrivateKey& key);

  /// The distinct keys out of `accepted` whose signature holds. A keyid that names an accepted
  /// key whose signature does not hold is Error{verification}; so is no held signature at all,
  /// with the ids found and the ids wanted.
  std::vector<PublicKey> verify(const std::vector<PublicKey>& accepted) const;
};

}  // namespace kbundle
