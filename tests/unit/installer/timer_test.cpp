#include "installer/timer.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

const VerbTimer& timer() {
  static const VerbTimer value{"kbundle-x", "do x", {"x", "--y"}, daily("6h")};
  return value;
}

test::FakeHost with_systemd(const test::TempRoot& root) {
  test::FakeHost host(root);
  host.answer_ = [](const std::vector<std::string>&) { return CommandResult{0, false, "", ""}; };
  return host;
}

}  // namespace

TEST_CASE("a timer's units name an executable that stays, and its time") {
  const test::TempRoot root;
  auto host = with_systemd(root);
  CHECK(install_timer(host, timer()) == "/usr/local/bin/kbundle x --y --progress plain");
  CHECK(host.mode("/usr/local/bin/kbundle") == 0755);
  const auto service = host.read("/etc/systemd/system/kbundle-x.service");
  REQUIRE(service);
  CHECK(service->find("ExecStart=/usr/local/bin/kbundle x --y --progress plain\n") !=
        std::string::npos);
  const auto unit = host.read("/etc/systemd/system/kbundle-x.timer");
  REQUIRE(unit);
  CHECK(unit->find("OnCalendar=daily\nRandomizedDelaySec=6h\nPersistent=true\n") !=
        std::string::npos);
  CHECK(host.commands_.back() == "systemctl restart kbundle-x.timer");

  remove_timer(host, timer().name);
  CHECK_FALSE(host.exists("/etc/systemd/system/kbundle-x.service"));
  CHECK_FALSE(host.exists("/etc/systemd/system/kbundle-x.timer"));
  CHECK(host.exists("/usr/local/bin/kbundle"));
}

TEST_CASE("somebody's own kbundle is left as it is") {
  const test::TempRoot root;
  auto host = with_systemd(root);
  host.write("/usr/local/bin/kbundle", "theirs", 0755);
  CHECK(keep_executable(host) == "/var/lib/kbundle/bin/kbundle");
  CHECK(host.read("/usr/local/bin/kbundle") == "theirs");
}

TEST_CASE("time spans of a timer") {
  CHECK(every("30min").find("OnUnitInactiveSec=30min\n") != std::string::npos);
  for (const char* wrong : {"", "h", "0h", "-1h", "1w", "1h\nUser=x"})
    CHECK_THROWS_AS(every(wrong), Error);
}
