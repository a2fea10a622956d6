#include "distribution/mirror.hpp"

#include <iostream>

#include "cli/mirror_flags.hpp"
#include "cli/selection_flags.hpp"
#include "cli/transport_flags.hpp"
#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_mirror(CLI::App& app, const Globals& globals) {
  struct Flags {
    MirrorOptions options;
    MirrorFlags mirrors;
    std::string from, to_image, version, to;
    std::vector<std::string> architectures;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  auto& options = flags->options;
  auto* verb =
      app.add_subcommand("mirror", "copy images from registry to registry, digests unchanged");
  auto* source = verb->add_option("SRC", flags->from, "an image, k8s.gcr.io/pause:3.2");
  auto* target = verb->add_option("DST", flags->to_image,
                                  "its name in the other registry; without a tag it keeps SRC's");
  auto* version = verb->add_option("--version", flags->version,
                                   "instead: all images of this Kubernetes version")
                      ->type_name("VERSION");
  auto* to = verb->add_option("--to", flags->to, "... below this registry and prefix")
                 ->type_name("HOST[/PREFIX]");
  source->needs(target)->excludes(version);
  version->needs(to);
  to->needs(version);
  add_selection_flags(*verb, flags->architectures, options.selection.referrers, "all");
  add_mirror_flags(*verb, flags->mirrors);
  verb->add_option("--cache", options.cache_dir, "where blobs are kept on their way")
      ->type_name("DIR");
  verb->add_option("--parallel", options.upload.parallel, "blobs at once, at most")
      ->capture_default_str();
  add_transport_flags(*verb, options.transport);
  verb->add_flag("--dry-run", options.upload.dry_run, "ask what is there; send nothing");
  verb->add_flag("--json", flags->json, "for programs");
  verb->footer(
      "examples:\n"
      "  kbundle mirror k8s.gcr.io/pause:3.2 registry.local/google_containers/pause\n"
      "  kbundle mirror --version v1.18.2 --to registry.local/k8s --mirror-preset daocloud\n"
      "  kbundle mirror --version v1.18.2 --to registry.local:5000 --plain-http "
      "registry.local:5000");
  verb->callback([flags, &globals] {
    auto& mirror_options = flags->options;
    mirror_options.mirrors = flags->mirrors.mirrors();
    mirror_options.selection.all = flags->architectures.empty();
    select(flags->architectures, mirror_options.selection);
    if (flags->version.empty() && flags->from.empty())
      throw CLI::RequiredError("SRC and DST, or --version and --to");
    mirror_options.copies =
        flags->version.empty()
            ? std::vector{image_copy(flags->from, flags->to_image)}
            : version_copies(flags->version, mirror_options.selection, flags->to);
    const auto progress = globals.progress();
    const MirrorReport report = mirror(mirror_options, *progress);
    if (flags->json)
      std::cout << report.json().dump(2) << "\n";
    else
      std::cout << report.table();
  });
}

}  // namespace kbundle::cli
