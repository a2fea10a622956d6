#include "core/text.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace kbundle;
using namespace std::chrono_literals;

TEST_CASE("base64 goes there and back, and has one spelling") {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    CHECK(base64_decode(base64_encode(text), "text") == text);
  }
  CHECK(base64_encode("foobar") == "Zm9vYmFy");
  for (const std::string bad :
       {"Zg", "Zg=", "Zh==", "Zm9=", "Z=9v", "Zm9v\n", "====", "Zg==Zg=="}) {
    CHECK_THROWS_AS(base64_decode(bad, "text"), Error);
  }
}

TEST_CASE("a name cannot draw on the terminal") {
  CHECK(printable("a\x1b[31mb\n") == "a\\x1b[31mb\\x0a");
  CHECK(printable("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
  CHECK(printable("\xc0\xaf\xff") == "\\xc0\\xaf\\xff");
}

TEST_CASE("sizes and durations are short") {
  CHECK(human_size(0) == "0 B");
  CHECK(human_size(999) == "999 B");
  CHECK(human_size(205'123'456) == "205.1 MB");
  CHECK(human_duration(850ms) == "850 ms");
  CHECK(human_duration(12'345ms) == "12.3 s");
  CHECK(human_duration(125s) == "2 min 5 s");
}

TEST_CASE("times are RFC 3339 in UTC") {
  const auto time = parse_rfc3339("2026-11-21T01:02:03Z", "created");
  CHECK(rfc3339(time) == "2026-11-21T01:02:03Z");
  CHECK_THROWS_AS(parse_rfc3339("yesterday", "created"), Error);
  CHECK_THROWS_AS(parse_rfc3339("2026-11-21T01:02:03Z+", "created"), Error);
  CHECK_THROWS_AS(parse_rfc3339("4052-01-01T00:00:00Z", "created"), Error);
}

TEST_CASE("long text is broken at spaces") {
  CHECK(wrap("one two three", 9, 2) == "  one two\n  three\n");
  CHECK(wrap("averylongword and more", 6, 0) == "averylongword\nand\nmore\n");
}

TEST_CASE("a table is as wide as its cells") {
  Table table({"name", "size"});
  table.add({"kube-apiserver", "1"});
  CHECK(table.str() == "name            size\nkube-apiserver  1\n");
}
