// `kbundle install`: makes a Kubernetes node out of a systemd host, from a bundle alone.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "bundles/trust.hpp"
#include "core/progress.hpp"

namespace kbundle {

/// What the command line said. Names that kubeadm has too are kubeadm's own.
struct InstallOptions {
  enum class Role { master, worker };
  Role role = Role::master;
  /// The node is in its cluster already (see installed_node.hpp): no ticket is needed or written.
  bool joined = false;
  bool external_etcd = false;  ///< of such a node: its cluster's etcd is the site's own
  /// Empty: the only *.tar.zst bundle in the current folder or beside the executable.
  std::filesystem::path bundle;
  TrustOptions trust;

  std::filesystem::path join_ticket;  ///< what a master's install left for the others
  std::string join_endpoint;          ///< "HOST:PORT", instead of a ticket
  std::string token;
  std::string discovery_token_ca_cert_hash;  ///< "sha256:<hex>" of the CA's public key

  std::string node_ip;          ///< required when the host leaves a choice
  std::string certificate_key;  ///< of a joining master, without a ticket

  std::string vip;                     ///< an address that moves between the masters
  bool schedulable = false;            ///< a master that runs ordinary pods, too
  std::string control_plane_endpoint;  ///< "HOST[:PORT]"
  std::string pod_network_cidr;
  std::string service_cidr;
  std::string service_dns_domain;
  std::string apiserver_cert_extra_sans;  ///< separated by commas
  std::string node_name;
  std::string cri_socket;
  std::filesystem::path kubeadm_config;  ///< the user's documents, merged into kbundle's
  std::string image_repository;          ///< the images get names under it as well

  bool dry_run = false;              ///< print the plan, change nothing
  std::filesystem::path root = "/";  ///< where the node's files are
  std::string only_phase;            ///< run this one alone
  std::vector<std::string> skip_phases;
  std::vector<std::string> ignore_preflight_errors;  ///< finding ids, or "all"
  std::string bin_dir;  ///< programs go there instead of below /usr; empty: the bundle's paths
  bool swapoff = false;
  bool keep_proxy = false;
  bool allow_downgrade = false;
  bool fast_load = false;        ///< images are unpacked by kbundle itself where that is possible
  bool restart_runtime = false;  ///< even when it runs containers that are not Kubernetes'
  /// "containerd", "docker" (from 1.24 on with the bundle's cri-dockerd), or "none": the host's
  /// containerd, and never install one.
  std::string runtime = "containerd";
};

/// Throws Error: preflight (3), verification (4), busy (7), phase (8), interrupted (130).
/// Results (the plan, findings, the join ticket's use) go to `out`.
void install(const InstallOptions& options, Progress& progress, std::ostream& out);

/// The plan's phases as a tree, or as JSON, with the longest time each may take. Looks at the host,
/// as the plan depends on it; runs nothing.
void list_phases(const InstallOptions& options, bool json, Progress& progress, std::ostream& out);

/// The findings of preflight alone, as a table or as JSON; nothing is changed and no lock taken,
/// unless `fix`: then what the host phase does comes first (modules, sysctl, and swap off for
/// good), and is said. Error{preflight} when a finding is an error.
void preflight_report(const InstallOptions& options, bool json, bool fix, Progress& progress,
                      std::ostream& out);

}  // namespace kbundle
