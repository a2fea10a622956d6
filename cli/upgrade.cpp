#include "installer/upgrade.hpp"

#include <iostream>

#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_upgrade(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<UpgradeOptions>();
  auto* verb = app.add_subcommand("upgrade", "take this node to the bundle's Kubernetes version");
  verb->add_option("BUNDLE", options->bundle,
                   "the bundle; default: the only one in this folder or beside kbundle");
  add_trust_flags(*verb, options->trust);
  verb->add_flag("--images-only", options->images_only,
                 "load the new images and change nothing else: first, on every node");
  verb->add_flag("--drain", options->drain, "move pods to other nodes while the kubelet changes");
  verb->add_flag("--dry-run", options->dry_run,
                 "print what would be done, in order; write nothing");
  verb->add_flag("--ignore-missing-images", options->ignore_missing_images,
                 "go on though other nodes do not have the new images");
  verb->add_flag("--restart-runtime", options->restart_runtime,
                 "restart a runtime that runs containers of others");
  verb->add_flag("--allow-downgrade", options->allow_downgrade,
                 "accept an older serial than the one installed");
  verb->add_option("--ignore-preflight-errors", options->ignore_preflight_errors,
                   "checks of `kubeadm upgrade` that shall not stop it, by name")
      ->delimiter(',')
      ->type_name("LIST");
  verb->footer(
      "in this order: --images-only on every node, then the masters one after the other, then "
      "the workers.\nRunning the same command again continues where it stopped.");
  verb->callback([options, &globals] {
    ask_on_terminal(options->trust);
    const auto progress = globals.progress();
    upgrade(*options, *progress, std::cout);
  });
}

}  // namespace kbundle::cli
