// The one exception type of kbundle, and the exit codes it carries.
//
// An Error names the object, what was wanted and what was found (message), the steps that were
// under way when it was thrown (context, outermost last), and the next thing to do (hint). It is
// caught once, in cli/main.cpp. Expected negatives ("no such image") are values, not Errors.
#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace kbundle {

/// Exit status of the process. The numbers are part of the command-line interface.
enum class ExitCode : int {
  ok = 0,
  internal = 1,      ///< a bug in kbundle: an exception nobody expected
  usage = 2,         ///< unknown verb, flag or version
  preflight = 3,     ///< the host is not fit, and the plan at hand will not fix it
  verification = 4,  ///< a signature, digest or format did not hold; nothing was changed
  network = 5,
  disk = 6,
  busy = 7,   ///< another kbundle holds the lock
  phase = 8,  ///< an install phase failed; running the command again continues
  interrupted = 130,
};

class Error : public std::exception {
 public:
  Error(ExitCode code, std::string message, std::string hint = {})
      : code_(code), message_(std::move(message)), hint_(std::move(hint)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  ExitCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  /// What to do next; empty when there is nothing useful to say.
  const std::string& hint() const noexcept { return hint_; }
  /// Steps under way, innermost first.
  const std::vector<std::string>& context() const noexcept { return context_; }

  Error& add_context(std::string step) {
    context_.push_back(std::move(step));
    return *this;
  }
  Error& set_hint(std::string hint) {
    hint_ = std::move(hint);
    return *this;
  }

 private:
  ExitCode code_;
  std::string message_;
  std::string hint_;
  std::vector<std::string> context_;
};

/// Throws the Error that fits an errno value: ENOSPC, EDQUOT, EROFS and EIO are ExitCode::disk,
/// EMFILE and ENOMEM name the limit, everything else is `fallback`.
/// `action` reads "write /path/file".
[[noreturn]] void throw_errno(const std::string& action, int error_number,
                              ExitCode fallback = ExitCode::disk);

/// Runs `step` and adds `context` to any Error that leaves it.
template <typename Function>
decltype(auto) with_context(const std::string& context, Function&& step) {
  try {
    return std::forward<Function>(step)();
  } catch (Error& error) {
    error.add_context(context);
    throw;
  }
}

}  // namespace kbundle
