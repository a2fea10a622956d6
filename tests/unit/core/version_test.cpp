#include "core/version.hpp"

#include <catch2/catch.hpp>

using namespace kbundle;

TEST_CASE("versions are ordered as semver says") {
  const auto v = [](const char* text) { return Version::parse(text).value(); };
  CHECK(v("v1.18.2") < v("v1.18.10"));
  CHECK(v("1.34.0-rc.1") < v("v1.34.0"));
  CHECK(v("v1.34.0-alpha.2") < v("v1.34.0-alpha.10"));
  CHECK(v("v1.34.0-alpha.1") < v("v1.34.0-beta.0"));
  CHECK(v("v1.18.2").minor_str() == "1.18");
  CHECK(v("1.18.2").str() == "v1.18.2");
}

TEST_CASE("what is not a version is not one") {
  for (const char* text :
       {"", "v1", "v1.18", "1.18.2.3", "v01.2.3", "latest", "v1.18.x", "v1.2.3-"}) {
    CHECK_FALSE(Version::parse(text));
  }
}
