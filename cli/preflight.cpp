#include <iostream>

#include "cli/install_flags.hpp"
#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"
#include "installer/install.hpp"

namespace kbundle::cli {

void add_preflight(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<InstallOptions>();
  auto json = std::make_shared<bool>(false);
  auto* verb = app.add_subcommand("preflight",
                                  "check whether this host is fit; changes nothing without --fix");
  add_install_flags(*verb, *options);
  verb->add_flag("--json", *json, "for programs");
  auto fix = std::make_shared<bool>(false);
  verb->add_flag("--fix", *fix,
                 "first make right what can be made right safely, for good: swap off, kernel "
                 "modules, sysctl");
  verb->footer(
      "examples:\n"
      "  kbundle preflight --role master --node-ip 10.0.0.11\n"
      "  kbundle preflight --role worker --fix\n"
      "  kbundle preflight --role master --json");
  verb->callback([options, json, fix, &globals] {
    ask_on_terminal(options->trust);
    const auto progress = globals.progress();
    preflight_report(*options, *json, *fix, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
