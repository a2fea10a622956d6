#include "distribution/serve.hpp"

#include <iostream>

#include "cli/trust_flags.hpp"
#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_serve(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<ServeOptions>();
  auto* verb = app.add_subcommand("serve", "give out a bundle's images as a read-only registry");
  verb->add_option("BUNDLE", options->bundle, "the bundle file")->required();
  verb->add_option("--listen", options->listen, "where: 0.0.0.0:5000, 10.0.0.1:5000 or [::]:5000")
      ->type_name("ADDR:PORT")
      ->required();
  verb->add_option("--tls-cert", options->tls_certificate, "certificate and its chain (PEM)")
      ->type_name("FILE");
  verb->add_option("--tls-key", options->tls_key, "its private key (PEM)")->type_name("FILE");
  verb->add_flag("--plain-http", options->plain_http, "serve without TLS");
  verb->add_option("--auth", options->password_file,
                   "only for the users of this file (`htpasswd -B -c FILE USER`)")
      ->type_name("FILE");
  verb->add_flag("--access-log", options->access_log, "print a line for each answer");
  add_trust_flags(*verb, options->trust);
  verb->footer(
      "example:\n  kbundle serve kubernetes-v1.18.2-linux-amd64.tar.zst --listen 0.0.0.0:5000 "
      "--tls-cert site.crt --tls-key site.key");
  verb->callback([options, &globals] {
    ask_on_terminal(options->trust);
    const auto progress = globals.progress();
    serve(*options, *progress, [](std::string_view text) { std::cout << text << std::flush; });
  });
}

}  // namespace kbundle::cli
