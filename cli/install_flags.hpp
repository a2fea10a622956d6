// The flags that install and preflight share.
#pragma once

#include <CLI/CLI.hpp>

#include "installer/install.hpp"

namespace kbundle::cli {

void add_install_flags(CLI::App& verb, InstallOptions& options);

}  // namespace kbundle::cli
