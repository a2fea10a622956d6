// The files kubeadm leaves, checked: kubeadm does not fsync, so a power loss may cut any of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

struct FilesState {
  std::vector<std::string> missing;
  std::vector<std::string> broken;  ///< there, but cut or not belonging together
  bool ca_broken = false;           ///< one of `broken` is a CA: what it signed is void too
  /// Of `missing` and `broken`, what the cluster is known by: CAs and the service account's key.
  std::vector<std::string> identity_missing, identity_broken;
  bool good() const { return missing.empty() && broken.empty(); }
};

/// Certificates parse, keys parse, and each key is its certificate's. With an external etcd its
/// certificates are not kubeadm's, and not looked at.
FilesState check_certificates(const Host& host, bool external_etcd = false);
/// What the masters have in common: the CAs (of which `ca_hash` names the cluster's) and the
/// service account's keys.
FilesState check_shared_certificates(const Host& host, const std::string& ca_hash,
                                     bool external_etcd);
/// Configurations ("admin", "kubelet", "controller-manager", …) parse, have their parts, a
/// certificate with its key, and hold the CA that lies in pki/.
FilesState check_kubeconfigs(const Host& host, const std::vector<std::string>& names);
/// Those of a master that stands.
FilesState check_kubeconfigs(const Host& host, bool super_admin);
/// Static pod manifests parse and are Pods. `names`: "kube-apiserver", "etcd", …
FilesState check_manifests(const Host& host, const std::vector<std::string>& names);
/// config.yaml parses and is a KubeletConfiguration; kubeadm-flags.env has its variable.
FilesState check_kubelet_files(const Host& host);
/// A joined node's files: the kubelet's, its credentials, and the CA when it is there
/// (`ca_hash`: see ca_cert_hash(); empty: any).
FilesState check_worker(const Host& host, const std::string& ca_hash);

/// The bootstrap token that a kubeconfig holds; nullopt when it is absent, cut or has none.
std::optional<std::string> kubeconfig_token(const Host& host, const std::string& file);

/// The user's certificate (PEM) that a kubeconfig holds or points to; empty when it has none.
std::string kubeconfig_certificate(const Host& host, const std::string& file);

/// `files`, and for each half of a leaf pair (certificate, key) its other half: kubeadm makes a
/// pair only when neither is there.
std::vector<std::string> with_other_halves(const std::vector<std::string>& files);

/// sa.pub as it must be, from sa.key. kubeadm never makes the public half alone.
std::optional<std::string> service_account_public_key(const Host& host);

/// Every leaf certificate and key below pki/ (not the CAs, not the service account's keys).
std::vector<std::string> leaf_certificate_files();

}  // namespace kbundle
