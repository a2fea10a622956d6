// A layer's gzip: the first byte says in pieces of what size it comes.
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "fuzz.hpp"
#include "installer/layer_gunzip.hpp"

using namespace kbundle;

namespace {

constexpr std::size_t kMost = 8U << 20U;

// One member and nothing behind it, without its checksum; nullopt: refused, or too large for here.
std::optional<std::string> zlib(std::string bytes) {
  z_stream state{};
  if (inflateInit2(&state, 15 + 16) != Z_OK) return {};
  inflateValidate(&state, 0);
  std::string result(kMost, '\0');
  state.next_in = reinterpret_cast<Bytef*>(bytes.data());
  state.avail_in = static_cast<uInt>(bytes.size());
  state.next_out = reinterpret_cast<Bytef*>(result.data());
  state.avail_out = static_cast<uInt>(result.size());
  const bool whole = inflate(&state, Z_FINISH) == Z_STREAM_END && state.avail_in == 0;
  result.resize(result.size() - state.avail_out);
  inflateEnd(&state);
  return whole ? std::optional(result) : std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{data[0]} * 7 + 1;
  const std::string bytes(fuzz::text(data + 1, size - 1));
  std::size_t position = 0;
  std::string got;
  const bool taken = fuzz::accepts([&] {
    GunzipSource source([&](std::span<std::byte> buffer) {
      const auto count = std::min({buffer.size(), bytes.size() - position, piece});
      std::memcpy(buffer.data(), bytes.data() + position, count);
      position += count;
      return count;
    });
    std::vector<std::byte> buffer(100'000);
    while (const auto count = source.read(buffer)) {
      got.append(reinterpret_cast<const char*>(buffer.data()), count);
      if (got.size() > kMost) break;
    }
  });
  if (const auto wanted = zlib(bytes))
    fuzz::expect(taken && got == *wanted, "what zlib takes comes out as zlib has it");
  return 0;
}
