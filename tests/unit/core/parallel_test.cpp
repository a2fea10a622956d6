#include "core/parallel.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>

using namespace kbundle;

TEST_CASE("every job runs once") {
  std::atomic<int> sum{0};
  for_each_parallel(100, 4, [&](std::size_t i) { sum += static_cast<int>(i); });
  CHECK(sum == 4950);
}

TEST_CASE("the first failure stops the rest and comes out") {
  std::atomic<int> started{0};
  CHECK_THROWS_AS(for_each_parallel(1000, 2,
                                    [&](std::size_t) {
                                      ++started;
                                      throw std::runtime_error("no");
                                    }),
                  std::runtime_error);
  CHECK(started <= 2);
}
