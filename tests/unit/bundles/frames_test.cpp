#include "bundles/frames.hpp"

#include <zstd.h>

#include <catch2/catch.hpp>

#include "sample.hpp"

using namespace kbundle;
using kbundle::test::random_bytes;
using kbundle::test::refusal;

namespace {

std::vector<std::byte> to_bytes(const std::string& text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

std::string decode(const std::string& stored, std::uint64_t content_size) {
  FrameDecoder decoder(to_bytes(stored), content_size, "the frame");
  std::string out;
  std::vector<std::byte> buffer(1000);
  while (const auto count = decoder.read(buffer)) {
    out.append(reinterpret_cast<const char*>(buffer.data()), count);
  }
  return out;
}

std::string compress(const std::string& content, int level, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(content.size()), '\0');
  const auto size = ZSTD_compress2(context, out.data(), out.size(), content.data(), content.size());
  ZSTD_freeCCtx(context);
  REQUIRE_FALSE(ZSTD_isError(size));
  out.resize(size);
  return out;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a frame of raw blocks is a zstd frame") {
  const std::size_t size = GENERATE(0, 1, 512, 131071, 131072, 131073, 1000448);
  const auto content = random_bytes(size, 7);
  const auto frame = raw_frame(content);
  CHECK(frame.size() == raw_frame_size(size));
  CHECK(raw_frame_content_size(std::as_bytes(std::span(frame))) == size);
  CHECK(raw_frame_content(frame, size) == content);
  std::string decoded(size + 1, '\0');
  const auto count = ZSTD_decompress(decoded.data(), decoded.size(), frame.data(), frame.size());
  REQUIRE_FALSE(ZSTD_isError(count));
  decoded.resize(count);
  CHECK(decoded == content);
}

TEST_CASE("compressed frames there and back") {
  const std::size_t size = GENERATE(1, 1024, 300000, 3000000);
  const auto content = random_bytes(size / 2, 3) + std::string(size - size / 2, 'z');
  const auto stored = compress_frame(std::as_bytes(std::span(content)), 3);
  CHECK(stored.size() <= stored_bound(size));
  CHECK(decode(stored, size) == content);
  CHECK(stored == compress_frame(std::as_bytes(std::span(content)), 3));
}

TEST_CASE("the decoder stops at what was declared") {
  const auto content = random_bytes(200000, 9);
  const auto stored = compress_frame(std::as_bytes(std::span(content)), 1);
  CHECK(contains(refusal([&] { decode(stored, content.size() - 1); }), "does not declare"));
  CHECK(contains(refusal([&] { decode(stored, content.size() + 1); }), "does not declare"));
  CHECK(contains(refusal([&] { decode(stored + "x", content.size()); }), "bytes follow"));
  CHECK(contains(refusal([&] { decode(stored + stored, content.size()); }), "bytes follow"));
  CHECK(contains(refusal([&] { decode(stored.substr(0, 1000), content.size()); }), "ends early"));
  // The frame's checksum is a part of it.
  CHECK_FALSE(
      refusal([&] { decode(stored.substr(0, stored.size() - 1), content.size()); }).empty());
  CHECK_FALSE(refusal([&] { decode("", 10); }).empty());
  CHECK_FALSE(refusal([&] { decode("not zstd", 8); }).empty());
}

TEST_CASE("a bomb that lies in its header is stopped") {
  // 64 MiB of zeros in a frame whose header says 1024 bytes (a 4-byte content size, no checksum).
  auto bomb = compress(std::string(64U << 20U, '\0'), 3, 20);
  REQUIRE((static_cast<unsigned char>(bomb[4]) >> 6U) == 2);
  const std::size_t at = (static_cast<unsigned char>(bomb[4]) & 0x20U) != 0 ? 5 : 6;
  const std::string lie("\x00\x04\x00\x00", 4);
  bomb.replace(at, 4, lie);
  CHECK_FALSE(refusal([&] { decode(bomb, 1024); }).empty());
}

TEST_CASE("a window over 2^27 is refused") {
  // By hand: magic, descriptor with an 8-byte content size, window 2^28, then the size.
  std::string frame("\x28\xB5\x2F\xFD\xC0", 5);
  frame += static_cast<char>((28 - 10) << 3);
  frame += std::string("\x00\x00\x00\x10\x00\x00\x00\x00", 8);  // 256 MiB
  frame += std::string("\x02\x00\x00\x00", 4);
  CHECK(contains(refusal([&] { decode(frame, 0x10000000); }), "not valid zstd"));
}

TEST_CASE("levels") {
  CHECK_NOTHROW(check_level(1));
  CHECK_NOTHROW(check_level(19));
  CHECK_FALSE(refusal([] { check_level(0); }, ExitCode::usage).empty());
  CHECK_FALSE(refusal([] { check_level(100); }, ExitCode::usage).empty());
}

TEST_CASE("the seek table, byte by byte") {
  const std::vector<FrameRecord> frames = {{0x11, 0x22, {}}};
  const auto table = seek_table(0x100, 0xF0, 0x10000, frames);
  CHECK(table.size() == seek_table_size(1));
  const std::string wanted(
      "\x5E\x2A\x4D\x18\x21\x00\x00\x00"
      "\x00\x01\x00\x00\xF0\x00\x00\x00"
      "\x00\xFF\x00\x00\x00\x00\x00\x00"
      "\x11\x00\x00\x00\x22\x00\x00\x00"
      "\x03\x00\x00\x00\x00\xB1\xEA\x92\x8F",
      41);
  CHECK(table == wanted);
}
