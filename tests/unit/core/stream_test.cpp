#include "core/stream.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace kbundle;

namespace {

std::unique_ptr<Source> verifying(const std::string& given, const std::string& signed_text) {
  return std::make_unique<VerifyingSource>(std::make_unique<StringSource>(given),
                                           sha256(signed_text), signed_text.size(), "the blob");
}

}  // namespace

TEST_CASE("a verifying source passes what matches") {
  for (const std::string text : {"", "x", "some longer text"}) {
    auto source = verifying(text, text);
    CHECK(read_all(*source, 100, "text") == text);
  }
}

TEST_CASE("a verifying source refuses what is short, long or changed") {
  for (const std::string given : {"abc", "abcdef", "abcdx", ""}) {
    auto source = verifying(given, "abcde");
    CHECK_THROWS_AS(read_all(*source, 100, "text"), Error);
  }
}

TEST_CASE("copy hashes and counts") {
  StringSource from(std::string(1'000'000, 'k'));
  StringSink to;
  HashingSink hashing(to);
  CHECK(copy(from, hashing) == 1'000'000);
  CHECK(hashing.size() == 1'000'000);
  CHECK(hashing.finish() == sha256(to.str()));
}

TEST_CASE("read_all stops at its limit") {
  StringSource source("12345");
  CHECK_THROWS_AS(read_all(source, 4, "text"), Error);
}
