// Signing keys: Ed25519 by default, ECDSA P-256 for sites whose tools are older. PEM files that
// `openssl pkeyutl` and `openssl dgst` read as they are.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace kbundle {

enum class KeyAlgorithm { ed25519, ecdsa_p256 };

/// A public key. Its id is the SHA-256 of its DER SubjectPublicKeyInfo (RFC 5280, 4.1.2.7), hex.
class PublicKey {
 public:
  static PublicKey from_pem(std::string_view pem, std::string_view what);
  static PublicKey read(const std::filesystem::path& file);

  const std::string& id() const { return id_; }
  /// "SHA256:ab12 cd34 …" in groups of four, as a person reads it aloud.
  std::string fingerprint() const;
  std::string pem() const;
  KeyAlgorithm algorithm() const;
  /// ECDSA signatures are over SHA-256, DER-encoded; Ed25519 ones over the message (RFC 8032).
  bool verifies(std::string_view message, std::string_view signature) const;

 private:
  friend class PrivateKey;
  explicit PublicKey(std::shared_ptr<void> key);
  std::shared_ptr<void> key_;  // EVP_PKEY
  std::string id_;
};

/// A key id as PublicKey::fingerprint() writes it, for keys that are known by their id alone.
std::string format_fingerprint(std::string_view key_id);

/// Compares what a person typed with a key's fingerprint: spaces, colons, case and the "SHA256:"
/// prefix do not count.
bool fingerprint_matches(std::string_view typed, const PublicKey& key);

class PrivateKey {
 public:
  static PrivateKey generate(KeyAlgorithm algorithm = KeyAlgorithm::ed25519);
  static PrivateKey read(const std::filesystem::path& file);
  /// Mode 0600, refuses to overwrite (Error{usage}).
  void write(const std::filesystem::path& file) const;
  PublicKey public_key() const;
  std::string sign(std::string_view message) const;

 private:
  explicit PrivateKey(std::shared_ptr<void> key);
  std::shared_ptr<void> key_;
};

}  // namespace kbundle
