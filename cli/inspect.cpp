#include "bundles/inspect.hpp"

#include <iostream>

#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_inspect(CLI::App& app) {
  struct Options {
    std::filesystem::path bundle;
    TrustOptions trust;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("inspect", "show what a bundle holds");
  verb->add_option("BUNDLE", options->bundle, "the bundle file")->required();
  add_trust_flags(*verb, options->trust);
  verb->add_flag("--json", options->json, "for programs");
  verb->footer(
      "example:\n  kbundle inspect kubernetes-v1.18.2-linux-amd64.tar.zst --json | jq .images");
  verb->callback([options] {
    ask_on_terminal(options->trust);
    const auto bundle = Bundle::open(options->bundle, TrustStore::standard(), options->trust);
    if (options->json) {
      std::cout << inspect_json(bundle).dump(2) << "\n";
    } else {
      std::cout << inspect_table(bundle);
    }
  });
}

}  // namespace kbundle::cli
