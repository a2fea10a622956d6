#include "core/digest.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace kbundle;

TEST_CASE("a digest that exists is valid") {
  const auto empty = sha256("");
  CHECK(empty.str() == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Digest::parse(empty.str()) == empty);
  CHECK(Digest::from_hex(empty.hex()) == empty);
  CHECK(empty.algorithm() == "sha256");
  CHECK(empty.short_hex() == "e3b0c44298fc");
}

TEST_CASE("what is not a digest is refused") {
  const std::string hex(64, 'a');
  for (const auto& text :
       {std::string("sha256:../../x"), std::string(""), std::string("sha256:"), "md5:" + hex,
        "sha256:" + hex + "0", "sha256:" + std::string(64, 'A'), "sha512:" + hex, hex}) {
    CHECK_THROWS_AS(Digest::parse(text), Error);
  }
}
