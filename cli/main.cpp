// kbundle: Kubernetes where there is no internet. Here verbs are put together and errors end.
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "cli/verbs.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "core/version.hpp"

namespace {

using namespace kbundle;

bool use_color() {
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(STDERR_FILENO) != 0 && (no_color == nullptr || *no_color == '\0');
}

int report(const Error& error) {
  const bool color = use_color();
  std::string text = fmt::format("{}error:{} {}\n", color ? "\x1b[31m" : "", color ? "\x1b[0m" : "",
                                 error.message());
  for (const auto& step : error.context()) text += "  while " + step + "\n";
  if (!error.hint().empty()) text += "  next: " + error.hint() + "\n";
  std::fputs(text.c_str(), stderr);
  return static_cast<int>(error.code());
}

void add_verbs(CLI::App& app, cli::Globals& globals) {
#ifdef KBUNDLE_WITH_BUILDER
  cli::add_build(app, globals);
#endif
  cli::add_images(app);
  cli::add_verify(app, globals);
  cli::add_inspect(app);
  cli::add_key(app);
  cli::add_preflight(app, globals);
  cli::add_install(app, globals);
  cli::add_version(app);
}

}  // namespace

int main(int argc, char** argv) {
  handle_stop_signals();
  // A host's openssl.cnf may load modules; nothing of that kind belongs into a static executable.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  CLI::App app(
      "kbundle installs Kubernetes where there is no internet.\n\n"
      "  on a connected host:   kbundle build v1.18.2\n"
      "  carry the folder it wrote to the isolated site, there:\n"
      "  first node:            kbundle install --role master --node-ip ADDRESS\n"
      "  every other node:      kbundle install --role worker --join join-ticket.json\n");
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("kbundle {}", kbundle_version()));
  app.footer("`kbundle VERB --help` explains a verb and its flags.");
  app.fallthrough();

  cli::Globals globals;
  const std::map<std::string, ProgressMode> modes = {{"auto", ProgressMode::automatic},
                                                     {"plain", ProgressMode::plain},
                                                     {"json", ProgressMode::json},
                                                     {"quiet", ProgressMode::quiet}};
  app.add_option("--progress", globals.progress_mode,
                 "how progress is shown: auto (bars on a terminal), plain, json or quiet")
      ->transform(CLI::CheckedTransformer(modes))
      ->type_name("MODE")
      ->default_str("auto");
  add_verbs(app, globals);

  try {
    app.parse(argc, argv);
    std::cout.flush();
    if (!std::cout) throw Error(ExitCode::disk, "cannot write to standard output");
    return static_cast<int>(ExitCode::ok);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return report(Error(ExitCode::usage, error.what(),
                        "`kbundle --help` lists the verbs, "
                        "`kbundle VERB --help` a verb's flags"));
  } catch (const Error& error) {
    return report(error);
  } catch (const std::exception& error) {
    return report(Error(ExitCode::internal, std::string("a bug in kbundle: ") + error.what(),
                        "please report it with the command that was run"));
  }
}
