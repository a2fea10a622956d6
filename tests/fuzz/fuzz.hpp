// What the fuzz targets share. A target that returns has passed; a broken promise aborts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/stream.hpp"

namespace kbundle::fuzz {

inline void expect(bool held, const char* promise) {
  if (held) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

/// Runs a parser on hostile bytes: it may refuse them with `refusal`, nothing else. Whether it took
/// them.
template <typename Parser>
bool accepts(Parser&& parser, ExitCode refusal = ExitCode::verification) {
  try {
    parser();
    return true;
  } catch (const Error& error) {
    expect(error.code() == refusal, "bad bytes are refused with the exit code they deserve");
    return false;
  }
}

class BytesSource final : public RandomSource {
 public:
  explicit BytesSource(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> buffer) const override {
    if (offset >= bytes_.size()) return 0;
    const auto part = bytes_.substr(offset, buffer.size());
    part.copy(reinterpret_cast<char*>(buffer.data()), part.size());
    return part.size();
  }

 private:
  std::string_view bytes_;
};

/// Cuts the first line off `rest`, without its line break.
inline std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  const auto line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

inline std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace kbundle::fuzz
