// `kbundle status`: whether this node still is what the install made of it. Needs no bundle; asks
// the host against the receipt, and the cluster about the node. Changes nothing.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/progress.hpp"
#include "installer/certificates.hpp"
#include "installer/installed_node.hpp"

namespace kbundle {

struct StatusLine {
  enum class State {
    ok,
    warning,  ///< the node works, and should be looked after
    error,    ///< the node is not healthy
  };
  std::string check;  ///< "programs", "images", "certificates", …
  State state = State::ok;
  std::string what;  ///< one sentence
  std::string next;  ///< the command that mends it; empty when ok
};

struct NodeStatus {
  Receipt receipt;  ///< empty when the first install has not come to its end
  std::vector<StatusLine> lines;
  std::vector<NodeCertificate> certificates;

  bool healthy() const;
  /// At most 80 columns, but for a longer word (a path, a command).
  std::string table() const;
  Json json() const;
};

/// Error{preflight} when kbundle did not install this host.
NodeStatus look_at_status(Host& host, Progress& progress);

/// Prints the table or the JSON. Error{phase} when the node is not healthy.
void status(bool json, Progress& progress, std::ostream& out);

}  // namespace kbundle
