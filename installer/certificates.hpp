// The certificates a node lives by, and until when: kubeadm's, the kubeconfigs' and the kubelet's.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

/// What a certificate says of itself.
struct CertificateFacts {
  std::string subject, issuer;  ///< RFC 2253: "CN=kube-apiserver", "O=system:nodes,CN=…"
  std::chrono::system_clock::time_point not_before, not_after;
};
/// The first certificate of a PEM text; nullopt when there is none or it is cut.
std::optional<CertificateFacts> read_certificate_facts(const std::string& pem);

struct NodeCertificate {
  enum class Kind {
    leaf,        ///< below /etc/kubernetes/pki
    authority,   ///< a CA there
    kubeconfig,  ///< of the user in a kubeconfig
    kubelet,     ///< the kubelet's client certificate, which it renews itself
    site,        ///< of an etcd that is the site's own: nobody but the site renews it
    serving,     ///< the kubelet's own, self-signed: nobody verifies it
  };
  std::string name;  ///< as `kubeadm certs renew` has it: "apiserver", "etcd-server", "admin.conf"
  std::string file;  ///< absolute, on the node; the kubeconfig's where it is inside one
  Kind kind = Kind::leaf;
  std::optional<CertificateFacts> facts;  ///< nullopt: the file holds no whole certificate
};

/// Those that are there, in kubeadm's order. With an external etcd the certificates for it are the
/// site's, wherever they lie. Files that are missing altogether are not listed:
/// kubeadm_files.hpp says what must be there.
std::vector<NodeCertificate> node_certificates(const Host& host);

/// Whole days until `end`, rounded down; negative once it is past.
long days_left(std::chrono::system_clock::time_point end,
               std::chrono::system_clock::time_point now);

/// The one of `certificates` that ends first; nullptr when none could be read.
const NodeCertificate* soonest(const std::vector<NodeCertificate>& certificates);

}  // namespace kbundle
