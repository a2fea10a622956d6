// Child processes. A child runs with a fixed PATH and without proxy variables unless asked
// otherwise, in a process group of its own, and dies when kbundle (the thread that runs it) dies.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/stream.hpp"

namespace kbundle {

struct Command {
  std::vector<std::string> argv{};                   ///< argv[0] is looked up in the fixed PATH
  std::map<std::string, std::string> environment{};  ///< added to the fixed one
  std::optional<std::string> input{};                ///< standard input; /dev/null when absent
  /// Called with a Sink that is the child's standard input; instead of `input`.
  std::function<void(Sink&)> feed{};
  std::chrono::milliseconds timeout{std::chrono::minutes(5)};  ///< then the whole group is killed
  bool keep_proxy = false;  ///< pass http_proxy, https_proxy, no_proxy on
  /// Called for each line of standard output and error as it comes (optional).
  std::function<void(std::string_view line)> on_line{};
};

struct CommandResult {
  int exit_status = 0;  ///< 128 + signal when killed
  bool timed_out = false;
  std::string output;  ///< standard output, the last 1 MiB
  std::string errors;  ///< standard error, the last 1 MiB
  bool ok() const { return exit_status == 0 && !timed_out; }
};

/// The PATH children get.
inline constexpr const char* kChildPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs to the end. Throws Error when the child cannot be started, on interruption (after killing
/// the group), and what `feed` throws; a non-zero exit is a value.
CommandResult run(const Command& command);
/// As run(), but a non-zero exit or a timeout is Error{phase} with the tail of what it printed.
CommandResult run_checked(const Command& command);

/// Absolute path of a program in the fixed PATH, if there is one.
std::optional<std::string> find_program(const std::string& name);
/// "kubeadm init phase certs all", quoted as a shell would need it.
std::string to_shell(const std::vector<std::string>& argv);

}  // namespace kbundle
