// kbundle: Kubernetes where there is no internet. Here verbs are put together and errors end.
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <sstream>
#include <system_error>

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

// A closed one would be given to the next file that is opened, and progress written into it.
void open_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && ::open("/dev/null", O_RDWR) != fd) std::abort();
  }
}

// `kbundle images … | head -n1` has read all it wants.
bool reader_has_gone() {
  pollfd out = {STDOUT_FILENO, POLLOUT, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

ProgressMode progress_mode(const std::string& word) {
  if (word == "auto") return ProgressMode::automatic;
  if (word == "plain") return ProgressMode::plain;
  if (word == "json") return ProgressMode::json;
  if (word == "quiet") return ProgressMode::quiet;
  throw CLI::ValidationError("--progress", "wanted auto, plain, json or quiet, found " + word);
}

// Help that fits a terminal of 80 columns.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kNameColumns); }
  std::string make_option_desc(const CLI::Option* option) const override {
    return narrow(option->get_description());
  }
  std::string make_subcommand(const CLI::App* verb) const override {
    std::stringstream out;
    CLI::detail::format_help(out, verb->get_name(), narrow(verb->get_description()), kNameColumns);
    return out.str();
  }

 private:
  static constexpr std::size_t kNameColumns = 26;

  static std::string narrow(const std::string& text) {
    const std::string wrapped = wrap(text, 80 - kNameColumns, 0);
    return wrapped.substr(0, wrapped.size() - 1);
  }
};

// CLI11 says only that a verb is missing when the word given is none.
std::string usage_message(const CLI::ParseError& error, const CLI::App& app, int argc,
                          char** argv) {
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands().empty()) {
    return "there is no verb " + printable(argv[1]);
  }
  return argc > 1 ? error.what() : "a verb is missing";
}

void add_verbs(CLI::App& app, cli::Globals& globals) {
#ifdef KBUNDLE_WITH_BUILDER
  cli::add_build(app, globals);
#endif
  cli::add_completion(app);
  cli::add_images(app);
  cli::add_verify(app, globals);
  cli::add_inspect(app);
  cli::add_key(app);
  cli::add_mirrors(app);
  cli::add_phases(app, globals);
  cli::add_preflight(app, globals);
  cli::add_pull(app, globals);
  cli::add_push(app, globals);
  cli::add_mirror(app, globals);
  cli::add_install(app, globals);
  cli::add_reset(app, globals);
  cli::add_serve(app, globals);
  cli::add_upgrade(app, globals);
  cli::add_certs(app, globals);
  cli::add_restore_etcd(app, globals);
  cli::add_repair(app, globals);
  cli::add_status(app, globals);
  cli::add_support_bundle(app, globals);
  cli::add_ticket(app, globals);
  cli::add_version(app);
  // `--plain-http HOST BUNDLE`: a flag that may be repeated takes one value each time, not all that
  // follow.
  for (CLI::App* verb : app.get_subcommands({})) {
    for (CLI::Option* option : verb->get_options()) {
      if (!option->get_positional()) option->allow_extra_args(false);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  handle_stop_signals();
  // A host's openssl.cnf may load modules; nothing of that kind belongs into a static executable.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  CLI::App app(
      "kbundle installs Kubernetes where there is no internet.\n\n"
      "  on a connected host:   kbundle build v1.18.2\n"
      "  carry the folder it wrote to the isolated site, there:\n"
      "  first node:            kbundle install --role master --node-ip ADDRESS\n"
      "  every other node:      kbundle install --role worker --join join-ticket.json\n");
  app.formatter(std::make_shared<HelpFormatter>());
  app.name("kbundle");
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("kbundle {}", kbundle_version()));
  app.footer("`kbundle VERB --help` explains a verb and its flags.");
  app.fallthrough();

  cli::Globals globals;
  app.add_option_function<std::string>(
         "--progress",
         [&globals](const std::string& word) { globals.progress_mode = progress_mode(word); },
         "default: auto (bars on a terminal, lines otherwise)")
      ->type_name("{auto,plain,json,quiet}");
  add_verbs(app, globals);

  try {
    app.parse(argc, argv);
    std::cout.flush();
    if (!std::cout && !reader_has_gone()) {
      throw Error(ExitCode::disk, "cannot write to standard output");
    }
    return static_cast<int>(ExitCode::ok);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return report(Error(ExitCode::usage, usage_message(error, app, argc, argv),
                        "`kbundle --help` lists the verbs, `kbundle VERB --help` a verb's flags"));
  } catch (const Error& error) {
    return report(error);
  } catch (const std::filesystem::filesystem_error& error) {
    try {
      throw_errno("use " + printable(error.path1().string()), error.code().value());
    } catch (const Error& named) {
      return report(named);
    }
  } catch (const std::bad_alloc&) {
    return report(Error(ExitCode::disk, "there is not enough memory",
                        "free some, and see `ulimit -v` and the cgroup's limit"));
  } catch (const std::system_error& error) {
    return report(Error(ExitCode::disk, std::string("a limit was reached: ") + error.what(),
                        "see `ulimit -u` and the cgroup's pids.max"));
  } catch (const std::exception& error) {
    return report(Error(ExitCode::internal, std::string("a bug in kbundle: ") + error.what(),
                        "please report it with the command that was run"));
  }
}
