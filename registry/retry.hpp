// When something is tried again, and how long to wait before.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "registry/http.hpp"

namespace kbundle {

/// The value of a Retry-After header: seconds, or an HTTP date (relative to `now`). nullopt when it
/// is neither. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
std::optional<std::chrono::seconds> parse_retry_after(
    std::string_view value,
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

/// Sleeps; Error{interrupted} as soon as a stop is asked for.
void sleep_unless_stopped(std::chrono::milliseconds duration);

/// Counts the failures of one piece of work in one place, and waits between them.
class Retry {
 public:
  /// No wait is longer than this; a server that asks for more is not waited for.
  static constexpr std::chrono::seconds kLongestWait{60};
  static constexpr int kUnreachable = 2;  ///< no route, no name: it seldom mends in seconds

  explicit Retry(int attempts,
                 std::chrono::milliseconds first_wait = std::chrono::milliseconds(500))
      : attempts_(attempts), first_wait_(first_wait) {}

  /// The work went on since the last failure, so the count starts again.
  void progressed() { failures_ = 0; }
  int failures() const { return failures_; }

  /// To be called when an attempt failed with `error`. Waits (exponential, jittered, at least
  /// `retry_after`) or, when the attempts are used up, throws `error`. `attempts` below the
  /// constructor's makes failures of one kind give up earlier.
  void failed(Error error, std::optional<std::chrono::seconds> retry_after = std::nullopt,
              std::optional<int> attempts = std::nullopt);
  /// failed() for what did not get through: a host that was never reached is not asked so often.
  void failed(const HttpResponse::Failure& failure);

 private:
  int attempts_;
  std::chrono::milliseconds first_wait_;
  int failures_ = 0;
};

}  // namespace kbundle
