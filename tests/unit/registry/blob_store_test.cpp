#include "registry/blob_store.hpp"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/error.hpp"

using namespace kbundle;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/kbundle-store-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

ExitCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::ok;
}

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("small blobs are put, found, read and removed") {
  const Folder folder;
  BlobStore store(folder.path / "cache");
  const Digest digest = sha256("hello");
  CHECK_FALSE(store.find(digest));
  store.put(digest, "hello");
  CHECK(store.find(digest) == 5U);
  CHECK(store.read(digest) == "hello");
  CHECK(store.path_of(digest) == folder.path / "cache/blobs/sha256" / digest.hex());
  CHECK(code_of([&] { (void)store.read(digest, 4); }) == ExitCode::verification);
  CHECK(code_of([&] { store.put(digest, "other"); }) == ExitCode::verification);

  std::ofstream(store.path_of(digest)) << "hullo";
  CHECK(code_of([&] { (void)store.read(digest); }) == ExitCode::verification);
  store.remove(digest);
  store.remove(digest);
  CHECK_FALSE(store.find(digest));
  CHECK(code_of([&] { (void)store.read(digest); }) == ExitCode::verification);
}

TEST_CASE("sha512 blobs have a folder of their own") {
  const Folder folder;
  BlobStore store(folder.path);
  Hasher hasher("sha512");
  hasher.update(std::string_view("x"));
  const Digest digest = hasher.finish();
  auto partial = store.open_partial(digest);
  partial.append(bytes("x"));
  partial.commit(1);
  CHECK(fs::exists(folder.path / "blobs/sha512" / digest.hex()));
}

TEST_CASE("a download goes on where an earlier run stopped") {
  const Folder folder;
  const Digest digest = sha256("hello world");
  {
    BlobStore store(folder.path);
    auto partial = store.open_partial(digest);
    CHECK(partial.offset() == 0);
    partial.append(bytes("hello "));
  }
  BlobStore store(folder.path);
  auto partial = store.open_partial(digest);
  CHECK(partial.offset() == 6);
  CHECK_FALSE(store.find(digest));
  partial.append(bytes("world"));
  partial.commit(11);
  CHECK(store.read(digest) == "hello world");
  CHECK(files_in(folder.path / "partial") == 0);
}

TEST_CASE("a corrupted partial is found out, thrown away and can be filled again") {
  const Folder folder;
  const Digest digest = sha256("hello world");
  BlobStore store(folder.path);
  { store.open_partial(digest).append(bytes("hexlo ")); }
  {
    auto partial = store.open_partial(digest);
    partial.append(bytes("world"));
    CHECK(code_of([&] { partial.commit(11); }) == ExitCode::verification);
    CHECK(partial.offset() == 0);
    CHECK_FALSE(store.find(digest));
    partial.append(bytes("hello world"));
    partial.commit(11);
  }
  CHECK(store.read(digest) == "hello world");
}

TEST_CASE("wrong sizes are refused") {
  const Folder folder;
  const Digest digest = sha256("hello");
  BlobStore store(folder.path);
  auto partial = store.open_partial(digest);
  partial.append(bytes("hello"));
  CHECK(code_of([&] { partial.commit(4); }) == ExitCode::verification);
  CHECK(partial.offset() == 0);
}

TEST_CASE("restart throws away what was there") {
  const Folder folder;
  const Digest digest = sha256("hello");
  BlobStore store(folder.path);
  auto partial = store.open_partial(digest);
  partial.append(bytes("rubbish, and more of it than the blob has"));
  partial.restart();
  CHECK(partial.offset() == 0);
  partial.append(bytes("hello"));
  partial.commit(5);
  CHECK(store.read(digest) == "hello");
}

TEST_CASE("one writer at a time") {
  const Folder folder;
  const Digest digest = sha256("hello");
  BlobStore store(folder.path);
  {
    auto partial = store.open_partial(digest);
    CHECK(code_of([&] { (void)store.open_partial(digest); }) == ExitCode::busy);
    partial.append(bytes("hello"));
    partial.commit(5);
  }
  CHECK(store.open_partial(digest).offset() == 0);  // a new file, not the published one
  CHECK(store.read(digest) == "hello");
}

TEST_CASE("an empty partial leaves no file") {
  const Folder folder;
  BlobStore store(folder.path);
  { (void)store.open_partial(sha256("x")); }
  CHECK(files_in(folder.path / "partial") == 0);
}

TEST_CASE("content without a published digest goes under the one it has") {
  const Folder folder;
  BlobStore store(folder.path);
  auto partial = store.open_partial(sha256("https://example.com/file"));
  partial.append(bytes("hello"));
  CHECK(partial.publish_as_found() == sha256("hello"));
  CHECK(store.read(sha256("hello")) == "hello");
}

TEST_CASE("a symlink in the place of a partial is not followed") {
  const Folder folder;
  BlobStore store(folder.path);
  const Digest digest = sha256("hello");
  std::ofstream(folder.path / "victim") << "keep";
  fs::create_symlink(folder.path / "victim",
                     folder.path / "partial" / ("sha256-" + digest.hex() + ".part"));
  CHECK_THROWS_AS(store.open_partial(digest), Error);
  CHECK(fs::file_size(folder.path / "victim") == 4);
}
