// Credentials that containerd's CRI plugin was given in its config.toml (hosts.toml carries none).
// https://github.com/containerd/containerd/blob/v1.6.20/docs/cri/registry.md#configure-registry-credentials
#pragma once

#include <string_view>

#include "core/json.hpp"

namespace kbundle {

/// In the form of Docker's config.json, {"auths": {HOST: {"username": …}}}. A text that is not such
/// a file holds none: it is containerd's business, and nobody named it.
Json containerd_auths(std::string_view config_toml);

}  // namespace kbundle
