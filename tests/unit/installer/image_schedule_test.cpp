#include "installer/image_schedule.hpp"

#include <catch2/catch.hpp>

using namespace kbundle;

namespace {
const Digest kBase = sha256("base"), kA = sha256("a"), kB = sha256("b"), kC = sha256("c");
}

TEST_CASE("a layer that two images share is loaded by one of them, then the other may start") {
  ImageSchedule schedule({{{kBase, kA}, 10}, {{kBase, kB}, 30}, {{kC}, 20}}, {});
  REQUIRE(schedule.start() == 1U);  // the largest
  REQUIRE(schedule.start() == 2U);  // shares nothing with it
  CHECK_FALSE(schedule.start());
  CHECK_FALSE(schedule.all_started());
  schedule.finish(2);
  CHECK_FALSE(schedule.start());
  schedule.finish(1);
  REQUIRE(schedule.start() == 0U);
  CHECK(schedule.all_started());
  CHECK_FALSE(schedule.start());
}

TEST_CASE("a shared layer that is there already keeps nobody waiting") {
  ImageSchedule schedule({{{kBase, kA}, 10}, {{kBase, kB}, 30}}, {kBase});
  CHECK(schedule.start() == 1U);
  CHECK(schedule.start() == 0U);
}
