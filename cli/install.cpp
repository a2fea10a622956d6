#include "installer/install.hpp"

#include <iostream>

#include "cli/install_flags.hpp"
#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_install(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<InstallOptions>();
  auto* verb = app.add_subcommand("install", "make this host a Kubernetes node from a bundle");
  add_install_flags(*verb, *options);
  verb->add_flag("--dry-run", options->dry_run,
                 "print what would be done, in order; write nothing");
  verb->add_option("--only-phase", options->only_phase, "run one phase of the plan");
  verb->add_option("--skip-phases", options->skip_phases, "leave phases out")->delimiter(',');
  verb->add_flag("--allow-downgrade", options->allow_downgrade,
                 "accept an older serial than the one installed");
  verb->footer(
      "examples:\n"
      "  kbundle install --role master --node-ip 10.0.0.11 --key kbundle.pub --key-fingerprint "
      "...\n"
      "  kbundle install --role worker --join join-ticket.json\n"
      "  kbundle install --role master --join join-ticket.json   # one more master\n"
      "Running the same command again continues where it stopped.");
  verb->callback([options, &globals] {
    ask_on_terminal(options->trust);
    const auto progress = globals.progress();
    install(*options, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
