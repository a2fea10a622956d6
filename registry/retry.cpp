#include "registry/retry.hpp"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <random>
#include <thread>

#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

using std::chrono::milliseconds;

// Between half of the full wait and all of it, so that clients that failed together do not come
// back together.
milliseconds jittered(milliseconds full) {
  thread_local std::minstd_rand engine(std::random_device{}());
  std::uniform_int_distribution<milliseconds::rep> part(full.count() / 2, full.count());
  return milliseconds(part(engine));
}

}  // namespace

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value,
                                                      std::chrono::system_clock::time_point now) {
  value = trim(value);
  if (value.empty() || value.size() > 64) return std::nullopt;
  if (std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    // Nine digits are more than thirty years: as good as any larger number.
    return std::chrono::seconds(std::stol(std::string(value.substr(0, 9))));
  }
  const time_t date = curl_getdate(std::string(value).c_str(), nullptr);
  if (date < 0) return std::nullopt;
  // In seconds: the clock's own nanoseconds do not reach the year 9999.
  const time_t left = date - std::chrono::system_clock::to_time_t(now);
  return std::chrono::seconds(std::max<time_t>(left, 0));
}

void sleep_unless_stopped(milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (true) {
    throw_if_interrupted();
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return;
    std::this_thread::sleep_for(
        std::min<std::chrono::steady_clock::duration>(left, milliseconds(100)));
  }
}

void Retry::failed(Error error, std::optional<std::chrono::seconds> retry_after,
                   std::optional<int> attempts) {
  ++failures_;
  if (retry_after && *retry_after > kLongestWait) {
    error.add_context(fmt::format("the server asks to wait {}, which is longer than kbundle does",
                                  human_duration(*retry_after)));
    throw error;
  }
  const int allowed = std::min(attempts_, attempts.value_or(attempts_));
  if (failures_ >= allowed) {
    if (failures_ > 1) error.add_context(fmt::format("tried {} times", failures_));
    throw error;
  }
  const milliseconds longest = kLongestWait;
  const milliseconds full = std::min(longest, first_wait_ * (1 << std::min(failures_ - 1, 16)));
  milliseconds wait = jittered(full);
  if (retry_after) wait = std::max<milliseconds>(wait, *retry_after);
  sleep_unless_stopped(wait);
}

void Retry::failed(const HttpResponse::Failure& failure) {
  failed(failure.error, std::nullopt,
         failure.reached ? std::nullopt : std::optional<int>(kUnreachable));
}

}  // namespace kbundle
