// /var/lib/kbundle/snapshot.json: what of a cluster's kind was on this host before the first phase
// of the first install. Written once. What stands here is not the cluster's, and `reset` leaves it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "installer/host.hpp"
#include "installer/runtimes/pod_runtime.hpp"

namespace kbundle {

struct HostSnapshot {
  /// Of the folders and files of cluster_names: those that existed, entries included.
  std::set<std::string> paths;
  /// Folders with more in them than is listed; all below them stays.
  std::set<std::string> kept_folders;
  std::map<std::string, std::string> firewall;  ///< by program: "iptables-nft" -> its -save text
  std::set<std::string> nft_tables;             ///< "inet filter"
  std::set<std::string> ipsets;
  std::set<std::string> interfaces;
  std::set<std::string> netns;
  std::set<std::string> mounts;
  std::map<std::string, std::string> sysctls;
  std::set<std::string> enabled_units;
  bool runtime_answered = false;  ///< otherwise images and containers are not known
  std::set<std::string> images, containers, leases;
  std::string runtime, runtime_socket;  ///< "containerd", and the path of its socket
  bool virtual_servers = false;         ///< of IPVS
  std::string taken;                    ///< RFC 3339

  /// Whether a path was there.
  bool had(std::string_view path) const;

  Json to_json() const;
  /// Error{verification} naming `what`.
  static HostSnapshot parse(std::string_view text, const std::string& what);
  /// nullopt when there is none.
  static std::optional<HostSnapshot> read(const Host& host);
  /// Looks; changes nothing.
  static HostSnapshot take(const Host& host, const PodRuntime& runtime);
};

/// Takes and writes it, unless it is there.
void keep_snapshot(const Host& host, const PodRuntime& runtime);

}  // namespace kbundle
