// What a node needs to know to join. It holds secrets (the bootstrap token, and for masters the
// certificate key): mode 0600.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kbundle {

struct JoinTicket {
  std::string endpoint;            ///< "10.77.0.2:6443"
  std::string token;               ///< "abcdef.0123456789abcdef"
  std::string ca_cert_hash;        ///< "sha256:<hex>" of the CA's SubjectPublicKeyInfo
  std::string kubernetes_version;  ///< "v1.18.2"; empty when not from a ticket file
  std::string bundle;              ///< id of the master's bundle
  std::string created;             ///< RFC 3339: the master's clock
  std::string expires;             ///< RFC 3339: the token's end
  /// For masters: what the cluster's certificates are uploaded under; empty: for workers only.
  std::string certificate_key;
  std::string certificate_key_expires;  ///< RFC 3339; empty: not known
  std::string vip;                      ///< the address that moves between the masters
  bool external_etcd = false;           ///< the cluster's etcd is not on the masters
  /// Its CA, certificate and key: a master that joins gets them, at the same paths.
  std::vector<std::string> external_etcd_files;

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
