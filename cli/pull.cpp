#include "distribution/pull.hpp"

#include <iostream>

#include "cli/mirror_flags.hpp"
#include "cli/selection_flags.hpp"
#include "cli/transport_flags.hpp"
#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_pull(CLI::App& app, const Globals& globals) {
  struct Flags {
    PullOptions options;
    MirrorFlags mirrors;
    std::vector<std::string> architectures;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  auto& options = flags->options;
  auto* verb =
      app.add_subcommand("pull", "pull images into an OCI image layout, resuming what broke off");
  verb->add_option("IMAGE", options.images, "references, registry.k8s.io/pause:3.9");
  verb->add_option("-o,--output", options.output_dir,
                   "the layout's folder; may have images already")
      ->required()
      ->type_name("DIR");
  verb->add_option("--version", options.version, "all images of this Kubernetes version")
      ->type_name("VERSION");
  add_selection_flags(*verb, flags->architectures, options.selection.referrers);
  add_mirror_flags(*verb, flags->mirrors);
  verb->add_option("--parallel", options.parallel, "downloads at once, at most")
      ->capture_default_str();
  add_transport_flags(*verb, options.transport);
  verb->add_flag("--json", flags->json, "for programs");
  verb->footer(
      "examples:\n"
      "  kbundle pull registry.k8s.io/pause:3.9 -o images\n"
      "  kbundle pull --version v1.18.2 -o images\n"
      "  tar -C images -c . | ctr -n k8s.io images import -");
  verb->callback([flags, &globals] {
    auto& pull_options = flags->options;
    pull_options.mirrors = flags->mirrors.mirrors();
    select(flags->architectures, pull_options.selection);
    const auto progress = globals.progress();
    const PullReport report = pull(pull_options, *progress);
    if (flags->json)
      std::cout << report.json().dump(2) << "\n";
    else
      std::cout << report.table();
  });
}

}  // namespace kbundle::cli
