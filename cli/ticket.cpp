#include <iostream>

#include "cli/verbs.hpp"
#include "installer/new_ticket.hpp"

namespace kbundle::cli {

void add_ticket(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<NewTicketOptions>();
  auto* verb = app.add_subcommand("ticket", "make a new join ticket; on any master");
  verb->add_flag("--masters", options->masters,
                 "good for masters, too: the certificates are uploaded again, for 2 hours");
  verb->add_option("-o,--output", options->output, "where it is written; - for standard output")
      ->capture_default_str()
      ->type_name("FILE");
  verb->add_option("--ttl", options->ttl, "how long nodes may join with it, like 90m or 24h")
      ->capture_default_str()
      ->type_name("TIME");
  verb->footer(
      "examples:\n"
      "  kbundle ticket\n"
      "  kbundle ticket --masters -o /media/usb/join-ticket.json\n"
      "The file holds secrets; only root can read it.");
  verb->callback([options, &globals] {
    const auto progress = globals.progress();
    new_ticket(*options, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
