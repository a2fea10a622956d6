#include <iostream>

#include "bundles/reader.hpp"
#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"
#include "core/text.hpp"

namespace kbundle::cli {

void add_verify(CLI::App& app, const Globals& globals) {
  struct Options {
    std::filesystem::path bundle;
    TrustOptions trust;
    bool deep = false;
  };
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("verify", "check a bundle's signature and every byte of it");
  verb->add_option("BUNDLE", options->bundle, "the bundle file")->required();
  add_trust_flags(*verb, options->trust);
  verb->add_flag("--deep", options->deep, "also decode everything and compare it with its digests");
  verb->footer(
      "example:\n  kbundle verify kubernetes-v1.18.2-linux-amd64.tar.zst --key kbundle.pub "
      "--key-fingerprint SHA256:...");
  verb->callback([options, &globals] {
    ask_on_terminal(options->trust);
    const auto progress = globals.progress();
    const auto bundle = Bundle::open(options->bundle, TrustStore::standard(), options->trust);
    if (options->deep) {
      bundle.verify_deep(*progress);
    } else {
      bundle.verify(*progress);
    }
    std::cout << "ok: " << printable(options->bundle.string()) << "\n  id      " << bundle.id()
              << "\n  size    " << human_size(bundle.size()) << ", every byte verified\n";
    for (const auto& key : bundle.signers()) {
      std::cout << "  signed  " << key.fingerprint() << "\n";
    }
    if (bundle.signers().empty()) std::cout << "  signed  no: accepted by its id alone\n";
  });
}

}  // namespace kbundle::cli
