#include "core/json.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace kbundle;

TEST_CASE("JSON from outside has limits") {
  CHECK(parse_json(R"({"a":[1,2]})", "text")["a"].size() == 2);
  CHECK_THROWS_AS(parse_json(R"({"a":1,"a":2})", "text"), Error);
  CHECK_THROWS_AS(parse_json(R"({"a":1} x)", "text"), Error);
  CHECK_THROWS_AS(parse_json("{", "text"), Error);
  CHECK_THROWS_AS(parse_json(std::string(40, '[') + std::string(40, ']'), "text"), Error);
  CHECK_THROWS_AS(parse_json("[1,2,3]", "text", {.values = 3}), Error);
  CHECK_THROWS_AS(parse_json("[1,2,3]", "text", {.size = 3}), Error);
}

TEST_CASE("the same key may stand in different objects") {
  CHECK_NOTHROW(parse_json(R"([{"a":1},{"a":{"a":2}}])", "text"));
}

TEST_CASE("canonical JSON sorts and has no white space") {
  CHECK(canonical_json(parse_json("{ \"b\": 1, \"a\" : [ ] }", "text")) == R"({"a":[],"b":1})");
}
