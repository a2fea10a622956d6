// Asks an etcd through its own HTTP interface (/health, /v3/…), with client certificates. It needs
// no program on the node, so it works before an install and after half a reset; etcd answers it
// also without a quorum, when no API server does.
#pragma once

#include <string>
#include <utility>

#include "installer/host.hpp"

namespace kbundle {

/// PEM files on the node; empty: none (without a CA, those that the host trusts).
struct EtcdCredentials {
  std::string ca_file, cert_file, key_file;

  /// Those that kubeadm makes on a master for its own etcd.
  static EtcdCredentials of_kubeadm();
};

/// Where an etcd answers clients: "https://[fd00::2]:2379".
struct EtcdEndpoint {
  bool tls = true;
  std::string host;  ///< an address (IPv6 without brackets) or a name
  int port = 2379;

  /// "SCHEME://HOST[:PORT]". Error{usage} for anything else.
  static EtcdEndpoint parse(const std::string& url);
};

struct EtcdAnswer {
  int status = 0;       ///< of HTTP; 0: it did not come to an answer
  std::string body;     ///< 1 MiB at most
  std::string trouble;  ///< why there is no answer; empty otherwise
  bool ok() const { return status == 200; }
};

class EtcdClient {
 public:
  EtcdClient(const Host& host, EtcdCredentials credentials)
      : host_(host), credentials_(std::move(credentials)) {}

  /// `url`: an endpoint's. Waits 5 s for a connection and 15 s for the whole answer; what goes
  /// wrong is in the answer.
  EtcdAnswer get(const std::string& url, const std::string& path) const;
  EtcdAnswer post(const std::string& url, const std::string& path, const std::string& json) const;

 private:
  /// `json`: what is posted; nullptr: it is a GET.
  EtcdAnswer ask(const std::string& url, const std::string& path, const std::string* json) const;
  EtcdAnswer exchange(const std::string& url, const std::string& path,
                      const std::string* json) const;

  const Host& host_;
  EtcdCredentials credentials_;
};

}  // namespace kbundle
