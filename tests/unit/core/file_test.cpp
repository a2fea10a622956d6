#include "core/file.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/lock.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace kbundle;
using test::TemporaryFolder;

namespace {

std::size_t entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("a file appears whole or not at all") {
  const TemporaryFolder folder;
  const auto target = folder / "file";
  write_file(target, "old");
  {
    AtomicFile abandoned(target);
    abandoned.write("half");
  }
  CHECK(read_file(target) == "old");
  CHECK(entries(folder.path()) == 1);
  write_file(target, "new", 0600);
  CHECK(read_file(target) == "new");
  struct stat status = {};
  REQUIRE(stat(target.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600);
}

TEST_CASE("a head may be written last") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "file");
  file.seek(4);
  file.write("body");
  file.write_at(0, std::as_bytes(std::span("head", 4)));
  file.commit();
  CHECK(read_file(folder / "file") == "headbody");
}

TEST_CASE("what a killed run left is removed, what is in use is not") {
  const TemporaryFolder folder;
  write_file(folder / ".file.kbundle-Abc123", "left behind");
  AtomicFile in_use(folder / "other");
  in_use.write("now");
  CHECK(remove_stale_temporaries(folder.path()) == 11);
  CHECK(std::filesystem::exists(in_use.temporary()));
}

TEST_CASE("reading has a limit, and absence is a value where it may be") {
  const TemporaryFolder folder;
  write_file(folder / "file", "12345");
  CHECK_THROWS_AS(read_file(folder / "file", 4), Error);
  CHECK_FALSE(read_file_if_exists(folder / "none"));
  CHECK_THROWS_AS(read_file(folder / "none"), Error);
}

TEST_CASE("a lock has one holder, and says who") {
  const TemporaryFolder folder;
  const ProcessLock held(folder / "lock");
  try {
    const ProcessLock second(folder / "lock");
    FAIL("two holders");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::busy);
    CHECK_THAT(error.message(), Catch::Contains(std::to_string(getpid())));
  }
}

TEST_CASE("folders are made on the way") {
  const TemporaryFolder folder;
  make_folders(folder.path() / "a" / "b" / "c");
  CHECK(std::filesystem::is_directory(folder.path() / "a" / "b" / "c"));
}
