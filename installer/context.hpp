// What the phases of one install share.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bundles/inventory.hpp"
#include "bundles/reader.hpp"
#include "core/progress.hpp"
#include "installer/host.hpp"
#include "installer/install.hpp"
#include "installer/journal.hpp"
#include "installer/network.hpp"
#include "installer/resolver.hpp"
#include "installer/runtimes/runtime.hpp"
#include "installer/ticket.hpp"
#include "manifests/catalog.hpp"

namespace kbundle {

/// Where kbundle keeps what it must remember, on the node.
namespace node_path {
inline constexpr const char* state = "/var/lib/kbundle";
inline constexpr const char* journal = "/var/lib/kbundle/journal";
inline constexpr const char* before = "/var/lib/kbundle/before";  ///< files as they were
inline constexpr const char* snapshot = "/var/lib/kbundle/snapshot.json";
inline constexpr const char* lock = "/run/kbundle/lock";
inline constexpr const char* kubeadm_config = "/var/lib/kbundle/kubeadm.yaml";
inline constexpr const char* resolver = "/var/lib/kbundle/resolv.conf";
inline constexpr const char* cni_manifest = "/var/lib/kbundle/cni.yaml";
inline constexpr const char* image_loading = "/var/lib/kbundle/image-loading.json";
inline constexpr const char* backups = "/var/lib/kbundle/backup";
inline constexpr const char* receipt = "/var/lib/kbundle/receipt.json";
inline constexpr const char* join_ticket = "/var/lib/kbundle/join-ticket.json";
inline constexpr const char* admin_config = "/etc/kubernetes/admin.conf";
inline constexpr const char* kubelet_config = "/etc/kubernetes/kubelet.conf";
inline constexpr const char* keepalived_config = "/etc/kubernetes/keepalived/keepalived.conf";
inline constexpr const char* keepalived_manifest = "/etc/kubernetes/manifests/keepalived.yaml";
}  // namespace node_path

/// Everything below is decided before the first phase runs and stays as it is.
struct Context {
  const InstallOptions& options;
  const Inventory& inventory;
  const Bundle* bundle;  ///< absent only in tests of check()
  KubernetesFacts facts;
  std::optional<CniFacts> cni;
  Host& host;
  Progress& progress;

  Platform platform;                 ///< the host's
  std::vector<Json> user_documents;  ///< of --config
  NodeNetwork network;               ///< addresses, default route, the node's own address
  std::string node_name;
  std::string image_repository;  ///< empty: upstream's names
  std::string pod_subnet, service_subnet, dns_domain;
  ResolverChoice resolver;
  std::string bin_dir;               ///< --bin-dir; empty: programs are where the bundle puts them
  std::string volume_plugin_dir;     ///< instead of /usr/libexec/…; empty: /usr can be written
  std::optional<JoinTicket> ticket;  ///< of a node that joins
  std::string vip;                   ///< moves between the masters; empty: none
  bool external_etcd = false;        ///< the cluster's etcd is not kubeadm's static pods
  std::chrono::seconds kubectl_timeout{20};  ///< of one request; the command has three times that
  bool swap_tolerated = false;               ///< kubelet gets --fail-swap-on=false
  std::unique_ptr<Runtime> runtime;
  std::map<Digest, std::vector<Digest>> image_blobs;  ///< by image, where no bundle can be asked
  bool deep_images = false;  ///< every byte of the images' content is hashed, not only their sizes
  const Journal* journal = nullptr;  ///< nullptr: none yet, or a dry run without one

  Context(const InstallOptions& options_, const Inventory& inventory_, const Bundle* bundle_,
          KubernetesFacts facts_, Host& host_, Progress& progress_)
      : options(options_),
        inventory(inventory_),
        bundle(bundle_),
        facts(std::move(facts_)),
        host(host_),
        progress(progress_) {}

  bool master() const { return options.role == InstallOptions::Role::master; }
  /// This node makes the cluster (the first master); otherwise it joins one.
  bool initializes() const { return master() && !ticket; }
  bool joins() const { return !initializes(); }
  /// kubeadm's phases for what this node becomes, in order.
  const std::vector<KubeadmPhase>& kubeadm_phases() const;
  /// Whether a join went through to the end: its ticket is no longer needed.
  bool join_is_over() const;
  /// Static pods that kubeadm makes on this node: "kube-apiserver", …, and "etcd" unless external.
  std::vector<std::string> static_pods() const;
  /// Where a program of the bundle lies on the node.
  std::string program(const std::string& component) const;
  /// Whether the program there is the bundle's, byte for byte; nothing else of that name is run.
  bool has_program(const std::string& component) const;
  std::string pause_image() const;
  /// The names an image of the bundle gets on this node: its own, and one under the image
  /// repository when that is set.
  std::vector<std::string> names_on_node(const ImageRecord& image) const;
  std::string renamed(const std::string& upstream) const;
  /// The images that a node of this role runs.
  std::vector<const ImageRecord*> images_for_role() const;
  /// Whether a node of that role, of any platform, runs it.
  bool runs_image(const ImageRecord& image, InstallOptions::Role role) const;
  bool journal_ended(const std::string& phase) const;
  /// "HOST:PORT" the other nodes join at.
  std::string api_endpoint() const;
  /// "ADDRESS:PORT" of this node's own API server, when it is a master.
  std::string own_api() const;

  /// kubectl with administrator's (or, on a worker, the kubelet's) credentials. It asks the first
  /// master's own API server; on nodes that joined, the cluster's endpoint.
  Command kubectl(std::vector<std::string> arguments) const;
};

/// Decides what the options leave open (see Context). Error{usage} for contradictions; what the
/// host lacks is left to preflight.
void resolve_context(Context& context);

}  // namespace kbundle
