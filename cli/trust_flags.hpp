// The flags that say which keys a command believes; shared by verify, inspect and install.
#pragma once

#include <CLI/CLI.hpp>

#include "bundles/trust.hpp"

namespace kbundle::cli {

/// Adds --key, --key-fingerprint, --allow-unsigned and --bundle-id.
void add_trust_flags(CLI::App& verb, TrustOptions& options);
/// Where a person sits at a terminal, lets options.confirm ask; elsewhere leaves it absent.
void ask_on_terminal(TrustOptions& options);

}  // namespace kbundle::cli
