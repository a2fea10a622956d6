#include "installer/status/status.hpp"

#include <iostream>

#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_status(CLI::App& app, const Globals& globals) {
  auto json = std::make_shared<bool>(false);
  auto* verb = app.add_subcommand("status", "check whether this node is as it was installed");
  verb->add_flag("--json", *json, "for programs");
  verb->footer("It needs no bundle and changes nothing. Exit status: 0 healthy, 8 not.");
  verb->callback([json, &globals] {
    const auto progress = globals.progress();
    status(*json, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
