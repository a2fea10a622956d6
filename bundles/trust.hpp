// Which public keys a host believes. A key that lies beside a bundle is never trusted for lying
// there: it takes a fingerprint from another channel, or a typed confirmation.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bundles/keys.hpp"

namespace kbundle {

/// A folder of PEM files named <key id>.pem: /etc/kbundle/trusted-keys for root,
/// ~/.config/kbundle/trusted-keys for others.
class TrustStore {
 public:
  explicit TrustStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  static TrustStore standard();

  const std::filesystem::path& folder() const { return folder_; }
  std::vector<PublicKey> keys() const;
  std::optional<PublicKey> find(const std::string& id) const;
  /// Adds; false when it was already there.
  bool add(const PublicKey& key);

 private:
  std::filesystem::path folder_;
};

/// How a command was told to trust.
struct TrustOptions {
  std::filesystem::path key_file;  ///< --key
  std::string key_fingerprint;     ///< --key-fingerprint, from another channel
  bool allow_unsigned = false;     ///< --allow-unsigned, needs bundle_id
  std::string bundle_id;           ///< --bundle-id sha256:…
  bool remember = false;           ///< add the confirmed key to the store
  /// Asks a person to type the fingerprint's confirmation; absent when there is no terminal.
  std::function<bool(const PublicKey&)> confirm;
};

/// The keys a bundle may be signed by under these options: the store's, plus the given one once
/// its fingerprint matched or a person confirmed it. Error{verification} with both fingerprints
/// when they differ, or with how to name a key when there is none.
std::vector<PublicKey> accepted_keys(const TrustStore& store, const TrustOptions& options);

}  // namespace kbundle
