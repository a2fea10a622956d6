#include "bundles/frame_tags.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace kbundle;

namespace {

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

TEST_CASE("a frame is recognised again, and no other bytes are") {
  FrameTags tags(2);
  const std::string content(100'000, 'a');
  const Digest digest = sha256(content);
  for (int time = 0; time < 3; ++time) CHECK(tags.holds(0, bytes(content), digest));
  for (const std::size_t at : {std::size_t{0}, std::size_t{50'000}, content.size() - 1}) {
    std::string changed = content;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK_FALSE(tags.holds(0, bytes(changed), digest));
    CHECK_FALSE(tags.holds(1, bytes(changed), digest));
  }
  CHECK_FALSE(tags.holds(0, bytes(content.substr(1)), digest));
  CHECK_FALSE(tags.holds(0, bytes(content + "a"), digest));
  // What did not hold left nothing behind.
  CHECK(tags.holds(0, bytes(content), digest));
  CHECK(tags.holds(1, bytes(content), digest));
}

TEST_CASE("several threads ask at once") {
  FrameTags tags(8);
  std::vector<std::string> contents;
  for (char c = 'a'; c < 'i'; ++c) contents.emplace_back(10'000, c);
  std::vector<std::thread> threads;
  std::vector<char> held(4, 1);
  for (std::size_t t = 0; t < held.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int turn = 0; turn < 50; ++turn) {
        for (std::size_t i = 0; i < contents.size(); ++i)
          if (!tags.holds(i, bytes(contents[i]), sha256(contents[i]))) held[t] = 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(held == std::vector<char>(4, 1));
}
