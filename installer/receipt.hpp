// /var/lib/kbundle/receipt.json: what an install put onto this node. `status` compares the host
// with it, `upgrade` and `repair` start from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/digest.hpp"
#include "core/json.hpp"
#include "installer/host.hpp"

namespace kbundle {

struct Receipt {
  struct File {
    std::string path;
    Digest digest;
    std::string component, version;
    unsigned mode = 0;  ///< permission bits; 0: a receipt that does not tell
  };
  struct Image {
    std::vector<std::string> names;
    Digest digest;  ///< upstream's
    Digest config;  ///< of this platform: the image ID; empty: a receipt that does not tell
    std::vector<std::pair<Digest, std::uint64_t>> blobs;  ///< of this platform, with their sizes
  };

  std::string bundle;  ///< id
  std::string line;
  std::uint64_t serial = 0;
  std::string kubernetes_version, kbundle_version;
  std::string cni;   ///< "flannel v0.12.0", "none"
  std::string role;  ///< "master" or "worker"
  std::string node_name, node_ip;
  std::string api_endpoint;  ///< "HOST:PORT" that the nodes reach the API at
  std::string vip;           ///< the address that moves between the masters; empty: none
  bool external_etcd = false;
  std::string image_repository;  ///< empty: upstream's names
  std::string pod_subnet, service_subnet;
  std::string bin_dir;  ///< --bin-dir; empty: below /usr
  std::string runtime, runtime_version, cri_socket;
  bool runtime_from_bundle = false;
  std::vector<File> files;
  std::string resolver;         ///< the file that pods' resolvers are made from
  std::string resolver_digest;  ///< of its content at the install
  std::vector<Image> images;
  std::string installed;  ///< RFC 3339; empty: not yet

  bool master() const { return role == "master"; }
  Json to_json() const;
  /// Error{verification} naming `what`.
  static Receipt parse(std::string_view text, const std::string& what);
  /// nullopt when there is none, or when a power loss cut it.
  static std::optional<Receipt> read(const Host& host);
};

}  // namespace kbundle
