#include <iostream>

#include "bundles/keys.hpp"
#include "bundles/trust.hpp"
#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/user_folders.hpp"

namespace kbundle::cli {
namespace {

void print_key(const PublicKey& key) {
  std::cout << "fingerprint  " << key.fingerprint() << "\nid           " << key.id() << "\n";
}

// The public half, whichever half the file holds.
PublicKey read_either_half(const std::filesystem::path& file) {
  const bool is_private = read_file(file, 64 * 1024).find("PRIVATE KEY") != std::string::npos;
  return is_private ? PrivateKey::read(file).public_key() : PublicKey::read(file);
}

void add_generate(CLI::App& key) {
  struct Options {
    std::filesystem::path file;
    bool ecdsa = false;
  };
  auto options = std::make_shared<Options>();
  auto* verb = key.add_subcommand("generate", "make a signing key (Ed25519) and its public half");
  verb->add_option("FILE", options->file,
                   "where the private key goes; default: where `build` looks for it");
  verb->add_flag("--ecdsa", options->ecdsa,
                 "ECDSA P-256, for sites whose openssl is older than 3.0");
  verb->callback([options] {
    const auto file = options->file.empty() ? user_config_folder() / "signing.key" : options->file;
    const auto made =
        PrivateKey::generate(options->ecdsa ? KeyAlgorithm::ecdsa_p256 : KeyAlgorithm::ed25519);
    make_folders(std::filesystem::absolute(file).parent_path(), 0700);
    made.write(file);
    write_file(file.string() + ".pub", made.public_key().pem());
    std::cout << "private key  " << file.string() << "  (keep it secret, keep a copy)\n"
              << "public key   " << file.string() << ".pub\n";
    print_key(made.public_key());
  });
}

void add_show(CLI::App& key) {
  auto file = std::make_shared<std::filesystem::path>();
  auto* verb = key.add_subcommand("show", "print a key's fingerprint, or the trusted ones");
  verb->add_option("FILE", *file, "a public or private key; default: every trusted key");
  verb->callback([file] {
    if (!file->empty()) {
      print_key(read_either_half(*file));
      return;
    }
    const auto store = TrustStore::standard();
    const auto keys = store.keys();
    std::cout << keys.size() << " trusted key(s) in " << store.folder().string() << "\n";
    for (const auto& trusted : keys) print_key(trusted);
  });
}

void add_trust(CLI::App& key) {
  auto options = std::make_shared<TrustOptions>();
  auto* verb = key.add_subcommand("trust", "believe bundles that a key signed, from now on");
  verb->add_option("FILE", options->key_file, "the public key (PEM)")->required();
  verb->add_option("--key-fingerprint", options->key_fingerprint,
                   "its fingerprint, from another channel; without it you are asked")
      ->type_name("SHA256:...");
  verb->callback([options] {
    ask_on_terminal(*options);
    const auto store = TrustStore::standard();
    options->remember = true;
    accepted_keys(store, *options);
    std::cout << "trusted in " << store.folder().string() << "\n";
    print_key(PublicKey::read(options->key_file));
  });
}

}  // namespace

void add_key(CLI::App& app) {
  auto* key = app.add_subcommand("key", "signing keys: generate, show, trust");
  key->require_subcommand(1);
  add_generate(*key);
  add_show(*key);
  add_trust(*key);
}

}  // namespace kbundle::cli
