#include "installer/restore_etcd.hpp"

#include <unistd.h>

#include <iostream>

#include "cli/verbs.hpp"
#include "core/interrupt.hpp"

namespace kbundle::cli {

void add_restore_etcd(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<RestoreEtcdOptions>();
  auto* verb = app.add_subcommand("restore-etcd", "take the cluster's data back to a backup");
  verb->add_option("BACKUP", options->backup,
                   "a folder of /var/lib/kbundle/backup, as `upgrade` named it")
      ->required();
  verb->add_flag("--yes", options->yes, "do not ask");
  verb->add_flag("--several-masters", options->several_masters,
                 "though etcd has other members (see docs/upgrade.md)");
  verb->callback([options, &globals] {
    if (isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0) {
      options->confirm = [](const std::string& question) {
        std::cerr << question << "\nType yes to go on: ";
        std::string answer;
        const bool answered = static_cast<bool>(std::getline(std::cin, answer));
        throw_if_interrupted();
        return answered && answer == "yes";
      };
    }
    const auto progress = globals.progress();
    restore_etcd(*options, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
