#include "core/version.hpp"

#include <iostream>

#include "cli/verbs.hpp"
#include "manifests/catalog.hpp"

namespace kbundle::cli {

void add_version(CLI::App& app) {
  auto* verb = app.add_subcommand("version", "print kbundle's version and what it knows");
  verb->callback([] {
    std::cout << "kbundle " << kbundle_version() << "\n\nKubernetes\n"
              << Catalog::builtin().known_versions();
  });
}

}  // namespace kbundle::cli
