#include <iostream>

#include "cli/install_flags.hpp"
#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"
#include "installer/install.hpp"

namespace kbundle::cli {

void add_phases(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<InstallOptions>();
  auto json = std::make_shared<bool>(false);
  auto* verb = app.add_subcommand("phases", "print the phases of an install on this host");
  add_install_flags(*verb, *options);
  verb->add_flag("--json", *json, "for programs");
  verb->callback([options, json, &globals] {
    ask_on_terminal(options->trust);
    const auto progress = globals.progress();
    list_phases(*options, *json, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
