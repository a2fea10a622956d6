// The flags of every verb that talks to registries.
#pragma once

#include <CLI/CLI.hpp>

#include "registry/client.hpp"

namespace kbundle::cli {

/// --ca, --client-cert, --client-key, --plain-http, --auth-file, --stall-timeout
void add_transport_flags(CLI::App& verb, TransportOptions& options);

}  // namespace kbundle::cli
