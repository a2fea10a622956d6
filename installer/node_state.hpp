// What the cluster says of this node: whether it is Ready, and which of the system's pods do not
// run.
#pragma once

#include <string>
#include <vector>

#include "installer/context.hpp"

namespace kbundle {

/// Empty: the node is Ready (or needs not be, without a CNI add-on). Otherwise why it is not, or
/// why the cluster could not be asked.
std::string node_trouble(const Context& context);

/// The system's pods of this node, and CoreDNS's, that do not run: "coredns-… Pending". On a worker
/// those of the node alone, as its kubelet may see no others.
std::vector<std::string> pods_in_trouble(const Context& context);

}  // namespace kbundle
