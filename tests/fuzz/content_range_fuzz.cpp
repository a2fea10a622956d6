// Content-Range, Content-Length and Retry-After: the same bytes for each.
#include "fuzz.hpp"
#include "registry/content_range.hpp"
#include "registry/retry.hpp"

using namespace kbundle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::text(data, size);
  if (const auto range = ContentRange::parse(bytes)) {
    fuzz::expect(range->first <= range->last, "a range has a length");
    fuzz::expect(!range->total || range->last < *range->total, "a range lies in the whole");
    const auto spelled = "bytes " + std::to_string(range->first) + "-" +
                         std::to_string(range->last) + "/" +
                         (range->total ? std::to_string(*range->total) : "*");
    fuzz::expect(ContentRange::parse(spelled) == range, "spelt out it is the same");
  }
  if (const auto length = parse_length(bytes)) {
    fuzz::expect(bytes.find_first_not_of("0123456789") == std::string_view::npos,
                 "a length is digits");
    fuzz::expect(parse_length(std::to_string(*length)) == length, "spelt out it is the same");
  }
  const auto now = std::chrono::system_clock::from_time_t(1'800'000'000);
  if (const auto wait = parse_retry_after(bytes, now)) {
    fuzz::expect(*wait >= wait->zero(), "nobody waits backwards");
  }
  return 0;
}
