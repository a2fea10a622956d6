#include "installer/support/support_bundle.hpp"

#include <iostream>

#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_support_bundle(CLI::App& app, const Globals& globals) {
  auto output = std::make_shared<std::filesystem::path>();
  auto* verb = app.add_subcommand("support-bundle",
                                  "collect logs and settings for those who help; no secrets");
  verb->add_option("-o,--output", *output,
                   "default: kbundle-support-NODE-TIME.tar.zst in this folder")
      ->type_name("FILE");
  verb->callback([output, &globals] {
    const auto progress = globals.progress();
    support_bundle(*output, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
