// What a worker needs to know to join. It holds a secret (the bootstrap token): mode 0600.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace kbundle {

struct JoinTicket {
  std::string endpoint;            ///< "10.77.0.2:6443"
  std::string token;               ///< "abcdef.0123456789abcdef"
  std::string ca_cert_hash;        ///< "sha256:<hex>" of the CA's SubjectPublicKeyInfo
  std::string kubernetes_version;  ///< "v1.18.2"; empty when not from a ticket file
  std::string bundle;              ///< id of the master's bundle
  std::string created;             ///< RFC 3339: the master's clock
  std::string expires;             ///< RFC 3339: the token's end

  std::string serialize() const;
  /// Error{usage} naming `what` and the field that is wrong.
  static JoinTicket parse(std::string_view text, const std::string& what);
  static JoinTicket read(const std::filesystem::path& file);
};

/// Error{usage} unless the fields have the right shape.
void validate(const JoinTicket& ticket, const std::string& what);

/// kubeadm's --discovery-token-ca-cert-hash for a CA certificate (PEM).
std::string ca_cert_hash(std::string_view ca_pem);

}  // namespace kbundle
