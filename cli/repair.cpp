#include "installer/repair.hpp"

#include <iostream>

#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_repair(CLI::App& app, const Globals& globals) {
  struct Flags {
    RepairOptions options;
    bool install_timer = false, remove_timer = false;
    std::string every = "1h";
  };
  auto flags = std::make_shared<Flags>();
  auto* verb = app.add_subcommand("repair", "put back lost images, programs and settings");
  verb->add_option("BUNDLE", flags->options.bundle,
                   "the bundle this node was installed from; default: the kept one, or the only "
                   "one in this folder or beside kbundle");
  add_trust_flags(*verb, flags->options.trust);
  verb->add_flag("--swapoff", flags->options.swapoff, "turn swap off, and keep it off");
  verb->add_flag("--restart-runtime", flags->options.restart_runtime,
                 "restart a runtime that runs containers of others");
  auto* install = verb->add_flag("--install-timer", flags->install_timer,
                                 "keep the bundle and kbundle on this host, and have systemd "
                                 "repair from it every so often");
  verb->add_option("--every", flags->every, "how often: 30min, 1h, 7d")
      ->capture_default_str()
      ->type_name("SPAN")
      ->needs(install);
  verb->add_flag("--remove-timer", flags->remove_timer, "remove the timer and the kept bundle")
      ->excludes(install);
  verb->callback([flags, &globals] {
    ask_on_terminal(flags->options.trust);
    const auto progress = globals.progress();
    if (flags->remove_timer) {
      remove_repair_timer(std::cout);
    } else if (flags->install_timer) {
      install_repair_timer(flags->options, flags->every, *progress, std::cout);
    } else {
      repair(flags->options, *progress, std::cout);
    }
  });
}

}  // namespace kbundle::cli
