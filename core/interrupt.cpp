#include "core/interrupt.hpp"

#include <atomic>
#include <csignal>

#include "core/error.hpp"

namespace kbundle {
namespace {

// A signal handler can reach nothing but a static.
std::atomic<bool> stop_flag{false};

void on_stop_signal(int) {
  stop_flag.store(true);
}

}  // namespace

void handle_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = on_stop_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

bool stop_requested() noexcept {
  return stop_flag.load();
}

void throw_if_interrupted() {
  if (stop_requested()) {
    throw Error(ExitCode::interrupted, "interrupted",
                "run the same command again to go on from here");
  }
}

}  // namespace kbundle
