#include "installer/journal.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "core/error.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

PlanRecord plan() {
  PlanRecord record;
  record.bundle = "sha256:aa";
  record.line = "kubernetes-v1.18-linux-amd64";
  record.serial = 3;
  record.kubernetes_version = "v1.18.2";
  record.role = "master";
  record.root = "/";
  record.overrides = {{"node-ip", "10.0.0.5"}};
  return record;
}

std::string content(const std::filesystem::path& file) {
  return read_file(file);
}

}  // namespace

TEST_CASE("CRC-32 is the one everybody has") {
  CHECK(crc32("123456789") == 0xCBF43926U);
}

TEST_CASE("a journal remembers its plan and phases") {
  const test::TempRoot root;
  const auto file = root.path() / "state/journal";
  {
    auto journal = Journal::open(file);
    CHECK_FALSE(journal.has_plan());
    journal.write_plan(plan());
    journal.begin("host");
    journal.end("host", 12);
    journal.begin("programs");
  }
  const auto journal = Journal::look(file);
  CHECK(journal.plan().serial == 3);
  CHECK(journal.ended("host"));
  CHECK(journal.begun("programs"));
  CHECK_FALSE(journal.ended("programs"));
  CHECK_FALSE(journal.complete());
}

TEST_CASE("a torn tail is cut at every length, and writing goes on") {
  const test::TempRoot root;
  const auto file = root.path() / "journal";
  {
    auto journal = Journal::open(file);
    journal.write_plan(plan());
    journal.begin("host");
    journal.end("host", 1);
  }
  const std::string whole = content(file);
  const auto last = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t size = last + 1; size < whole.size(); ++size) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    {
      auto journal = Journal::open(file);
      CHECK(journal.was_torn());
      CHECK(journal.begun("host"));
      CHECK_FALSE(journal.ended("host"));
      journal.end("host", 1);
    }
    CHECK(content(file) == whole);
  }
}

TEST_CASE("a flipped bit ends the journal there") {
  const test::TempRoot root;
  const auto file = root.path() / "journal";
  Journal::open(file).write_plan(plan());
  std::string text = content(file);
  text[text.size() / 2] ^= 1;
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  const auto journal = Journal::look(file);
  CHECK(journal.was_torn());
  CHECK_FALSE(journal.has_plan());
}

TEST_CASE("a newer journal is refused") {
  const test::TempRoot root;
  const auto file = root.path() / "journal";
  Journal::open(file).write_plan(plan());
  std::string json = content(file).substr(content(file).find('{'));
  json.pop_back();
  json.replace(json.find("\"version\":1"), 11, "\"version\":9");
  char header[32];
  std::snprintf(header, sizeof header, "%08x %zu ", crc32(json), json.size());
  std::ofstream(file, std::ios::trunc) << header << json << "\n";
  CHECK_THROWS_AS(Journal::look(file), Error);
}

TEST_CASE("differences of plans are named") {
  auto now = plan();
  CHECK(plan().differences(now).empty());
  now.overrides = {{"service-cidr", "10.1.0.0/16"}};
  now.role = "worker";
  const auto differences = plan().differences(now);
  REQUIRE(differences.size() == 3);
  CHECK(differences[0] == "role: master before, worker now");
  CHECK(differences[1] == "node-ip: 10.0.0.5 before, not given now");
  CHECK(differences[2] == "service-cidr: not given before, 10.1.0.0/16 now");
}
