#include "installer/reset.hpp"

#include <unistd.h>

#include <iostream>
#include <string>

#include "cli/verbs.hpp"
#include "core/interrupt.hpp"

namespace kbundle::cli {

void add_reset(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<ResetOptions>();
  auto* verb = app.add_subcommand("reset", "take this node out and put the host back as it was");
  verb->add_flag("--yes", options->yes, "do not ask");
  verb->add_flag("--dry-run", options->dry_run, "print what would go; change nothing");
  verb->add_flag("--keep-images", options->keep_images, "leave the images in the host's runtime");
  verb->add_flag("--restart-runtime", options->restart_runtime,
                 "even when it runs containers that are not Kubernetes'");
  verb->add_flag("--force", options->force,
                 "go on where etcd's quorum would be lost, or without a record of the host before, "
                 "and forget what could not be removed");
  verb->footer("Running the same command again continues where it stopped.");
  verb->callback([options, &globals] {
    if (isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0)
      options->ask = [](const std::string& question) {
        std::cerr << question;
        std::string answer;
        std::getline(std::cin, answer);
        throw_if_interrupted();
        return answer;
      };
    const auto progress = globals.progress();
    reset(*options, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
