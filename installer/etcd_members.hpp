// The members of the cluster's etcd. A member answers their list even when the cluster has lost its
// quorum and no API server answers any more.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "installer/etcd_client.hpp"

namespace kbundle {

struct EtcdPeer {
  std::string id;    ///< decimal
  std::string name;  ///< empty: it was added, and has never started
  std::string peer_url;
  bool learner = false;  ///< follows, and does not vote yet
  bool started() const { return !name.empty(); }
};

/// Of the text that /v3/cluster/member/list answers; Error{phase} when it is no such text.
std::vector<EtcdPeer> parse_etcd_peers(std::string_view text);

/// "https://10.0.0.11:2380", as kubeadm names the member of a master.
std::string etcd_peer_url(const std::string& address);
/// "10.0.0.11" of a peer's URL; IPv6 without its brackets.
std::string etcd_address(const std::string& peer_url);

/// "https://10.0.0.11:2379", where the member of a master answers clients.
std::string etcd_client_url(const std::string& address);

/// As the etcd at `url` knows them, without asking the others; nullopt when it does not answer.
std::optional<std::vector<EtcdPeer>> etcd_peers(const EtcdClient& etcd, const std::string& url);
/// Why the etcd at `url` is not healthy, which takes a quorum; empty: it is.
std::string etcd_trouble(const EtcdClient& etcd, const std::string& url);
/// Takes a member out, by the etcd at `url`. Error{phase} when the cluster refuses.
void remove_etcd_peer(const EtcdClient& etcd, const std::string& url, const EtcdPeer& member);

/// The static pod of a joining member, made from another master's as the API server shows it: what
/// kubeadm writes, kept for the case that it is killed between telling the others of the member
/// and writing it. `members` are the others and the new one.
Json joining_etcd_pod(const Json& other, const std::string& other_address,
                      const std::string& own_address, const std::string& own_name,
                      const std::vector<EtcdPeer>& members);
/// Writes the list of members into such a pod's command line.
void set_initial_cluster(Json& pod, const std::string& own_address, const std::string& own_name,
                         const std::vector<EtcdPeer>& members);

}  // namespace kbundle
