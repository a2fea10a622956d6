// An etcd that the site runs itself (`etcd.external` of kubeadm's ClusterConfiguration): kbundle
// asks it whether it is healthy, and neither starts, saves nor removes anything of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "installer/etcd_client.hpp"
#include "installer/receipt.hpp"

namespace kbundle {

struct ExternalEtcd {
  std::vector<std::string> endpoints;      ///< "https://10.0.0.9:2379"
  EtcdCredentials credentials;             ///< with them the API server asks
  std::vector<std::string> files() const;  ///< of the credentials
};

/// Of ClusterConfiguration; nullopt where etcd is kubeadm's own. Error{usage} for endpoints that
/// are none and for credentials that cannot be right.
std::optional<ExternalEtcd> external_etcd_of(const std::vector<Json>& documents);

/// Of the node as it stands, also without a receipt: nullopt where etcd is kubeadm's own, or none.
std::optional<ExternalEtcd> external_etcd_of_node(const Host& host,
                                                  const std::optional<Receipt>& receipt);

/// "10.0.0.9:2379: no connection within 5 s" of each endpoint that is not healthy.
std::vector<std::string> endpoints_in_trouble(const Host& host, const ExternalEtcd& etcd);

}  // namespace kbundle
