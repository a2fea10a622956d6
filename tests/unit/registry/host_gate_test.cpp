#include "registry/host_gate.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

using namespace kbundle;

TEST_CASE("a host that answers well is given more, up to the most") {
  HostGate gate(6);
  CHECK(gate.limit("a") == HostGate::kFirst);
  for (int i = 0; i < 100; ++i) {
    const HostGate::Pass pass(gate, "a");
    gate.went_well(pass);
  }
  CHECK(gate.limit("a") == 6);
  CHECK(gate.limit("b") == HostGate::kFirst);
}

TEST_CASE("a host under pressure is given half, and never none") {
  HostGate gate(8);
  {
    // Three that were under way together are one sign of pressure.
    const HostGate::Pass one(gate, "a");
    const HostGate::Pass two(gate, "a");
    const HostGate::Pass three(gate, "a");
    gate.pressed(one);
    gate.pressed(two);
    gate.pressed(three);
  }
  CHECK(gate.limit("a") == 2);
  for (int i = 0; i < 5; ++i) {
    const HostGate::Pass pass(gate, "a");
    gate.pressed(pass);
  }
  CHECK(gate.limit("a") == 1);
}

TEST_CASE("no more than the limit run at once") {
  HostGate gate(2);
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 20; ++turn) {
        const HostGate::Pass pass(gate, "a");
        const int now = ++running;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::yield();
        --running;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(most <= 2);
  CHECK(most >= 1);
}
