#include "cli/transport_flags.hpp"

#include "core/text.hpp"

namespace kbundle::cli {

void add_transport_flags(CLI::App& verb, TransportOptions& options) {
  verb.add_option("--ca", options.ca_file, "more CA certificates (PEM)")->type_name("FILE");
  verb.add_option("--client-cert", options.client_certificate,
                  "certificate (PEM) for servers that ask for one")
      ->type_name("FILE");
  verb.add_option("--client-key", options.client_key, "its private key, if it is in another file")
      ->type_name("FILE");
  verb.add_option("--plain-http", options.plain_http,
                  "a registry that speaks HTTP, not HTTPS (may be repeated)")
      ->transform([](std::string host) {
        if (host.find_first_of("/,") != std::string::npos)
          throw CLI::ValidationError("--plain-http", "wanted HOST[:PORT] alone, found " + host);
        return to_lower(host);
      })
      ->type_name("HOST");
  verb.add_option("--auth-file", options.docker_config,
                  "credentials; default: where docker, podman and containerd have them")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  verb.add_option_function<int>(
          "--stall-timeout",
          [&options](int seconds) { options.stall_timeout = std::chrono::seconds(seconds); },
          "seconds without a byte until a transfer is resumed")
      ->check(CLI::Range(1, 3600))
      ->default_val(static_cast<int>(options.stall_timeout.count()))
      ->type_name("SECONDS");
}

}  // namespace kbundle::cli
