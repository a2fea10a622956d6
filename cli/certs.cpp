#include "installer/certs.hpp"

#include <iostream>

#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_certs(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<CertsOptions>();
  auto* verb = app.add_subcommand("certs", "until when the certificates hold; new ones");
  verb->add_flag("--json", options->json, "for programs");
  auto* renew = verb->add_flag("--renew", options->renew,
                               "make all of them anew and restart what uses them (a master)");
  verb->add_option_function<std::string>(
          "--before",
          [options](const std::string& text) { options->before = parse_lead_time(text); },
          "only when one ends within this time: 30d")
      ->type_name("TIME")
      ->needs(renew);
  auto* install = verb->add_flag("--install-timer", options->install_timer,
                                 "renew 30 days ahead, every day by itself");
  verb->add_flag("--remove-timer", options->remove_timer, "no longer by itself")->excludes(install);
  verb->callback([options, &globals] {
    const auto progress = globals.progress();
    certs(*options, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
