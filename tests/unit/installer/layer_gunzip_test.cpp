// What is compressed with zlib, in each way that zlib has, comes out as it was; what is damaged is
// refused or comes out as zlib has it.
#include "installer/layer_gunzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"

using namespace kbundle;

namespace {

// The input in pieces of `piece` bytes.
std::optional<std::string> gunzip(const std::string& bytes, std::size_t piece = 1U << 20U) {
  std::size_t position = 0;
  GunzipSource source([&](std::span<std::byte> buffer) {
    const auto count = std::min({buffer.size(), bytes.size() - position, piece});
    std::memcpy(buffer.data(), bytes.data() + position, count);
    position += count;
    return count;
  });
  std::string result;
  std::vector<std::byte> buffer(70'000);
  try {
    while (const auto count = source.read(buffer))
      result.append(reinterpret_cast<const char*>(buffer.data()), count);
  } catch (const Error& error) {
    REQUIRE(error.code() == ExitCode::verification);
    return {};
  }
  return result;
}

std::string gzip(const std::string& bytes, int level, int strategy) {
  z_stream state{};
  REQUIRE(deflateInit2(&state, level, Z_DEFLATED, 15 + 16, 8, strategy) == Z_OK);
  std::string result(deflateBound(&state, bytes.size()), '\0');
  std::string input = bytes;
  state.next_in = reinterpret_cast<Bytef*>(input.data());
  state.avail_in = static_cast<uInt>(input.size());
  state.next_out = reinterpret_cast<Bytef*>(result.data());
  state.avail_out = static_cast<uInt>(result.size());
  REQUIRE(deflate(&state, Z_FINISH) == Z_STREAM_END);
  result.resize(result.size() - state.avail_out);
  deflateEnd(&state);
  return result;
}

// As zlib has it, without the checksum; nullopt: refused.
std::optional<std::string> zlib(std::string bytes) {
  z_stream state{};
  REQUIRE(inflateInit2(&state, 15 + 16) == Z_OK);
  inflateValidate(&state, 0);
  state.next_in = reinterpret_cast<Bytef*>(bytes.data());
  state.avail_in = static_cast<uInt>(bytes.size());
  std::string result(4U << 20U, '\0');
  state.next_out = reinterpret_cast<Bytef*>(result.data());
  state.avail_out = static_cast<uInt>(result.size());
  const bool whole = inflate(&state, Z_FINISH) == Z_STREAM_END && state.avail_in == 0;
  result.resize(result.size() - state.avail_out);
  inflateEnd(&state);
  return whole ? std::optional(result) : std::nullopt;
}

// Bytes as files have them: noise, text, runs, and what came before from near and far.
std::string sample(std::mt19937& random, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    const auto kind = random() % 4;
    const auto length = 1 + random() % 400;
    for (std::size_t i = 0; i < length; ++i) {
      if (kind == 0) text += static_cast<char>(random());
      if (kind == 1) text += static_cast<char>('a' + random() % 6);
    }
    if (kind == 2) text.append(length, static_cast<char>(random()));
    if (kind == 3 && !text.empty()) {
      const auto far = random() % 2 == 0 ? std::size_t{40'000} : std::size_t{20};
      const auto back = 1 + random() % std::min(text.size(), far);
      for (std::size_t i = 0; i < length; ++i) text += text[text.size() - back];
    }
  }
  text.resize(size);
  return text;
}

}  // namespace

TEST_CASE("gzip of every level and strategy") {
  std::mt19937 random(1);
  for (int level = 0; level <= 9; ++level)
    for (const int strategy : {Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED})
      for (const std::size_t size : {0, 1, 300, 70'000, 600'000}) {
        const auto text = sample(random, size);
        const auto packed = gzip(text, level, strategy);
        INFO("level " << level << ", strategy " << strategy << ", " << size << " bytes");
        CHECK(gunzip(packed) == text);
        CHECK(gunzip(packed, 1 + random() % 100) == text);
      }
}

TEST_CASE("gzip in several members, with a name and a comment") {
  const auto one = gzip("hello, ", 6, Z_DEFAULT_STRATEGY), two = gzip("world", 1, Z_FIXED);
  CHECK(gunzip(one + two) == "hello, world");
  CHECK_FALSE(gunzip(one + "rubbish"));
  CHECK_FALSE(gunzip(""));
  // FHCRC, FEXTRA, FNAME and FCOMMENT
  const std::string head("\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x04\0AB\0\0name\0comment\0\x12\x34", 31);
  CHECK(gunzip(head + one.substr(10)) == "hello, ");
}

TEST_CASE("gzip that is cut short is refused, wherever") {
  std::mt19937 random(2);
  const auto packed = gzip(sample(random, 3000), 6, Z_DEFAULT_STRATEGY);
  for (std::size_t size = 0; size < packed.size(); ++size) {
    INFO(size << " of " << packed.size());
    CHECK_FALSE(gunzip(packed.substr(0, size)));
  }
}

TEST_CASE("gzip with flipped bits is refused, or is what zlib makes of it") {
  std::mt19937 random(3);
  std::size_t refused = 0, same = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto size = 1 + random() % 3000;
    auto packed = gzip(sample(random, size), static_cast<int>(random() % 10),
                       random() % 3 == 0 ? Z_FIXED : Z_DEFAULT_STRATEGY);
    for (auto flips = 1 + random() % 3; flips > 0; --flips) {
      auto& byte = packed[10 + random() % (packed.size() - 10)];
      byte = static_cast<char>(byte ^ (1 << random() % 8));
    }
    const auto wanted = zlib(packed), got = gunzip(packed, 1 + random() % 5000);
    if (wanted) {
      CHECK(got == wanted);
      ++same;
    } else if (!got) {
      ++refused;
    }
  }
  CHECK(refused > 500);
  CHECK(same > 500);
}
