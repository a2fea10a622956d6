// One step of an install. check() looks at the host and changes nothing; apply() does the step and
// may be run again after it was killed at any point.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace kbundle {

enum class PhaseState {
  done,      ///< the host is as this phase wants it
  todo,      ///< apply() will make it so
  conflict,  ///< something is in the way that kbundle may not change
};

struct PhaseCheck {
  PhaseState state = PhaseState::todo;
  std::string reason;                ///< one line for people
  std::vector<std::string> actions;  ///< exact files ("write /etc/…") and commands ("run …")

  static PhaseCheck done(std::string reason) { return {PhaseState::done, std::move(reason), {}}; }
  static PhaseCheck todo(std::string reason, std::vector<std::string> actions) {
    return {PhaseState::todo, std::move(reason), std::move(actions)};
  }
  static PhaseCheck conflict(std::string reason, std::vector<std::string> objects = {}) {
    return {PhaseState::conflict, std::move(reason), std::move(objects)};
  }
};

class Phase {
 public:
  Phase(std::string id, std::string title, std::chrono::seconds timeout)
      : id_(std::move(id)), title_(std::move(title)), timeout_(timeout) {}
  virtual ~Phase() = default;
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;

  const std::string& id() const { return id_; }        ///< "programs", "certs/all"
  const std::string& title() const { return title_; }  ///< for the progress line
  std::chrono::seconds timeout() const { return timeout_; }

  virtual PhaseCheck check() = 0;
  virtual void apply() = 0;
  /// What tells most about a failure of this phase (log tails); shown with the error.
  virtual std::string failure_details() { return {}; }

 private:
  std::string id_;
  std::string title_;
  std::chrono::seconds timeout_;
};

}  // namespace kbundle
