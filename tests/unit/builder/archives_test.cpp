#include "builder/archives.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <catch2/catch.hpp>
#include <functional>

#include "core/error.hpp"
#include "tests/unit/builder/support.hpp"

namespace kbundle {
namespace {

using test::TemporaryFolder;

struct Entry {
  std::string name;
  std::string content;
  std::function<void(archive_entry*)> change;  // what makes it hostile
};

std::string make_tar(const std::vector<Entry>& entries) {
  archive* writer = archive_write_new();
  archive_write_set_format_pax_restricted(writer);
  archive_write_add_filter_gzip(writer);
  std::string out(4U << 20U, '\0');
  std::size_t used = 0;
  REQUIRE(archive_write_open_memory(writer, out.data(), out.size(), &used) == ARCHIVE_OK);
  for (const Entry& each : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, each.name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0755);
    archive_entry_set_size(entry, static_cast<la_int64_t>(each.content.size()));
    if (each.change) each.change(entry);
    REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
    archive_write_data(writer, each.content.data(), each.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return out.substr(0, used);
}

std::vector<ArchiveMember> members_of(const std::string& tar, const ArchiveLimits& limits = {}) {
  const TemporaryFolder folder;
  BlobStore store(folder.path());
  StringSource source(tar);
  return store_members(source, "x.tgz", store, limits);
}

// The refusal's message; a FAIL without one.
std::string refusal(const std::string& tar, const ArchiveLimits& limits = {}) {
  try {
    members_of(tar, limits);
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::verification);
    CHECK(error.message().find("x.tgz") != std::string::npos);
    return error.message();
  }
  FAIL("not refused");
  return {};
}

bool says(const std::string& message, const std::string& text) {
  return message.find(text) != std::string::npos;
}

TEST_CASE("members become blobs named by their digests") {
  const TemporaryFolder folder;
  BlobStore store(folder.path());
  const std::string large(700'000, 'x');
  StringSource source(
      make_tar({{"./", "", [](auto* e) { archive_entry_set_filetype(e, AE_IFDIR); }},
                {"./bin/ctr", large, {}},
                {"LICENSE", "text", [](auto* e) { archive_entry_set_perm(e, 0644); }},
                {"empty", "", {}}}));
  const auto members = store_members(source, "x.tgz", store);
  REQUIRE(members.size() == 3);
  CHECK(members[0].name == "bin/ctr");
  CHECK(members[0].digest == sha256(large));
  CHECK(members[0].size == large.size());
  CHECK(members[0].executable);
  CHECK(store.read(members[0].digest) == large);
  CHECK_FALSE(members[1].executable);
  CHECK(store.read(members[2].digest).empty());
  CHECK(std::filesystem::is_empty(folder.path() / "partial"));
}

TEST_CASE("an archive with one hostile entry is refused whole") {
  const auto one = [](const std::string& name, std::function<void(archive_entry*)> change = {}) {
    return make_tar({{"good", "good", {}}, {name, "", std::move(change)}});
  };
  CHECK(says(refusal(one("../etc/passwd")), "leaves the archive"));
  CHECK(says(refusal(one("a/../../b")), "leaves the archive"));
  CHECK(says(refusal(one("/etc/passwd")), "absolute"));
  CHECK(says(refusal(one("a\nb")), "control characters"));
  CHECK(says(refusal(one("a\x1b[2Jb")), "\\x1b"));
  CHECK(says(refusal(one("good")), "twice"));
  CHECK(says(refusal(one("./good")), "twice"));
  CHECK(says(refusal(one("link",
                         [](auto* e) {
                           archive_entry_set_filetype(e, AE_IFLNK);
                           archive_entry_set_symlink(e, "/etc");
                         })),
             "symbolic link"));
  CHECK(says(refusal(one(".",
                         [](auto* e) {
                           archive_entry_set_filetype(e, AE_IFLNK);
                           archive_entry_set_symlink(e, "/etc");
                         })),
             "symbolic link"));
  CHECK(says(refusal(one("hard", [](auto* e) { archive_entry_set_hardlink(e, "/etc/shadow"); })),
             "hard link"));
  for (const unsigned type : {static_cast<unsigned>(AE_IFCHR), static_cast<unsigned>(AE_IFBLK),
                              static_cast<unsigned>(AE_IFIFO)}) {
    CHECK(
        says(refusal(one("dev", [&](auto* e) { archive_entry_set_filetype(e, type); })), "device"));
  }
  CHECK(says(refusal(one("su", [](auto* e) { archive_entry_set_perm(e, 04755); })), "setuid"));
  CHECK(says(
      refusal(one(
          "cap", [](auto* e) { archive_entry_xattr_add_entry(e, "security.capability", "x", 1); })),
      "extended attributes"));
}

TEST_CASE("sizes have limits") {
  const std::string tar = make_tar({{"a", std::string(1000, 'a'), {}}, {"b", "b", {}}});
  CHECK(says(refusal(tar, {.member = 999, .total = 5000, .entries = 9}), "more than"));
  CHECK(says(refusal(tar, {.member = 5000, .total = 1000, .entries = 9}), "more than"));
  CHECK(says(refusal(tar, {.member = 5000, .total = 5000, .entries = 1}), "1 entries"));
  CHECK(members_of(tar, {.member = 1000, .total = 1001, .entries = 2}).size() == 2);
}

TEST_CASE("damage is an error, wherever it is") {
  const std::string tar = make_tar({{"a", std::string(300'000, 'a') + "end", {}}});
  for (std::size_t length = 1; length < tar.size() - 8; length += 7) {
    INFO(length);
    CHECK_THROWS_AS(members_of(tar.substr(0, length)), Error);
  }
  CHECK_THROWS_AS(members_of("<html>not found</html>"), Error);
  CHECK_THROWS_AS(members_of(std::string(2000, 'z')), Error);
}

}  // namespace
}  // namespace kbundle
