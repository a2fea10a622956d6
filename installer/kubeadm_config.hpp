// The one kubeadm configuration of a node: kbundle's documents with the user's merged into them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/json.hpp"
#include "installer/host.hpp"
#include "installer/ticket.hpp"
#include "manifests/catalog.hpp"

namespace kbundle {

/// What kbundle must set, so that what the bundle holds is what runs.
struct KubeadmInputs {
  explicit KubeadmInputs(const KubernetesFacts& facts_) : facts(facts_) {}

  const KubernetesFacts& facts;
  bool joins = false;  ///< otherwise this node makes the cluster
  bool master = true;
  std::string node_ip;          ///< what the API server advertises
  std::string kubelet_node_ip;  ///< `node_ip`, or both addresses of a dual-stack node
  std::string node_name;
  std::string cri_socket;     ///< with the scheme this version wants
  std::string cgroup_driver;  ///< the runtime's
  std::string resolv_conf;    ///< empty: not passed
  bool fail_swap_on = true;
  bool never_collect_images = false;  ///< the runtime cannot keep single images from the kubelet
  std::string volume_plugin_dir;  ///< where /usr cannot be written; empty: the default below /usr
  /// "HOST:PORT", always set: masters may be added later. `endpoint_wanted`: an option said so,
  /// and a user's document that says another is a contradiction.
  std::string control_plane_endpoint;
  bool endpoint_wanted = false;
  bool schedulable = false;                            ///< a master without its taint
  std::string pod_subnet, service_subnet, dns_domain;  ///< empty: kubeadm's default
  std::vector<std::string> cert_sans;
  std::string image_repository;
  std::string token, certificate_key;  ///< of a master
  JoinTicket ticket;                   ///< of a node that joins
  std::vector<Json> user_documents;
};

/// YAML, several documents. User values win; where one contradicts an input above, Error{usage}
/// names both.
std::string render_kubeadm_config(const KubeadmInputs& inputs);

/// The YAML documents of a file on the node; none when it is absent, or cut by a power loss.
std::vector<Json> documents_on_node(const Host& host, const std::string& file);
/// The user's document of a kind ("ClusterConfiguration"), or an empty object.
Json user_document(const std::vector<Json>& documents, const std::string& kind);
/// What a node is to become, as far as the kinds of documents go.
struct NodeKind {
  bool joins = false;
  bool master = true;
};
/// Checks that every document is of a kind and API version that this Kubernetes reads.
void check_user_documents(const std::vector<Json>& documents, const KubernetesFacts& facts,
                          const NodeKind& node, const std::string& what);
/// A value of kubeletExtraArgs in either form (map or list); empty when absent.
std::string kubelet_extra_arg(const Json& registration, const std::string& name);

/// From getrandom(2): "abcdef.0123456789abcdef".
std::string generate_token();
/// 32 random bytes, hex.
std::string generate_certificate_key();

/// Token and certificateKey out of a configuration that was kept.
struct KeptSecrets {
  std::string token, certificate_key;
};
KeptSecrets kept_secrets(const std::string& config_yaml);

}  // namespace kbundle
