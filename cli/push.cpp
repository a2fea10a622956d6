#include "distribution/push.hpp"

#include <iostream>

#include "cli/selection_flags.hpp"
#include "cli/transport_flags.hpp"
#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_push(CLI::App& app, const Globals& globals) {
  struct Flags {
    std::filesystem::path bundle;
    std::string registry;
    TrustOptions trust;
    PushOptions options;
    std::vector<std::string> architectures;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  auto& options = flags->options;
  auto* verb = app.add_subcommand(
      "push", "put a bundle's images into a registry, and say what the nodes have to set");
  verb->add_option("BUNDLE", flags->bundle, "the bundle file")->required();
  verb->add_option("REGISTRY", flags->registry, "HOST[:PORT][/PREFIX]")->required();
  add_trust_flags(*verb, flags->trust);
  verb->add_option("--arch", flags->architectures,
                   "of lists of several platforms: one platform's image, or all (the list)")
      ->delimiter(',')
      ->type_name("LIST");
  verb->add_option("--parallel", options.upload.parallel, "blobs at once, at most")
      ->capture_default_str();
  add_transport_flags(*verb, options.transport);
  verb->add_flag("--dry-run", options.upload.dry_run, "ask what is there (HEAD); send nothing");
  verb->add_flag("--json", flags->json, "for programs");
  verb->footer(
      "What the registry has is not sent again: run a push that broke off once more.\n"
      "examples:\n"
      "  kbundle push kubernetes-v1.18.2-linux-amd64.tar.zst registry.local/k8s\n"
      "  kbundle push kubernetes-v1.18.2-linux-amd64.tar.zst registry.local:5000 \\\n"
      "    --plain-http registry.local:5000\n"
      "  kbundle push kubernetes-v1.18.2-linux-amd64.tar.zst registry.local \\\n"
      "    --ca ca.pem --json");
  verb->callback([flags, &globals] {
    ask_on_terminal(flags->trust);
    const auto registry = RegistryPrefix::parse(flags->registry);
    select(flags->architectures, flags->options.selection);
    const auto bundle = Bundle::open(flags->bundle, TrustStore::standard(), flags->trust);
    const auto progress = globals.progress();
    const PushReport report = push(bundle, registry, flags->options, *progress);
    if (flags->json)
      std::cout << report.json().dump(2) << "\n";
    else
      std::cout << report.text();
  });
}

}  // namespace kbundle::cli
