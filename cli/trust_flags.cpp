#include "cli/trust_flags.hpp"

#include <unistd.h>

#include <iostream>
#include <string>

#include "core/interrupt.hpp"

namespace kbundle::cli {

void add_trust_flags(CLI::App& verb, TrustOptions& options) {
  verb.add_option("--key", options.key_file,
                  "public key (PEM) the bundle must be signed by, when it is not trusted yet")
      ->type_name("FILE");
  verb.add_option("--key-fingerprint", options.key_fingerprint,
                  "that key's fingerprint, from another channel than the bundle")
      ->type_name("SHA256:...");
  verb.add_flag("--allow-unsigned", options.allow_unsigned,
                "accept a bundle without a trusted signature; needs --bundle-id");
  verb.add_option("--bundle-id", options.bundle_id, "the bundle's id, from another channel")
      ->type_name("sha256:...");
}

void ask_on_terminal(TrustOptions& options) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) return;
  options.confirm = [](const PublicKey& key) {
    std::cerr << "The key is not trusted on this host yet. Its fingerprint is\n  "
              << key.fingerprint()
              << "\nCompare it with what the people who built the bundle told you.\n"
                 "Type yes to trust it: ";
    std::string answer;
    const bool answered = static_cast<bool>(std::getline(std::cin, answer));
    throw_if_interrupted();
    return answered && answer == "yes";
  };
}

}  // namespace kbundle::cli
