#include "installer/layer_unpack.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "installer/layer_stream.hpp"
#include "installer/runtimes/containerd_unpack.hpp"
#include "temp_root.hpp"

using namespace kbundle;

namespace {

std::string octal(std::uint64_t value, std::size_t size) {
  std::string digits;
  for (; value > 0; value /= 8) digits.insert(digits.begin(), static_cast<char>('0' + value % 8));
  return std::string(size - 1 - digits.size(), '0') + digits + '\0';
}

// A ustar member, owned by whoever runs the test.
std::string member(char type, const std::string& name, const std::string& link = {},
                   const std::string& content = {}) {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  header.replace(100, 8, octal(0644, 8));
  header.replace(108, 8, octal(getuid(), 8));
  header.replace(116, 8, octal(getgid(), 8));
  header.replace(124, 12, octal(content.size(), 12));
  header.replace(136, 12, octal(1577836800, 12));
  header[156] = type;
  header.replace(157, link.size(), link);
  header.replace(257, 8,
                 std::string("ustar\0"
                             "00",
                             8));
  std::uint64_t sum = 8 * ' ';
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(148, 8, octal(sum, 7) + ' ');
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

std::string ended(const std::string& members) {
  return members + std::string(1024, '\0');
}

struct Node {
  test::TempRoot folder;
  std::filesystem::path root = folder / "root";
  Node() { std::filesystem::create_directories(root); }

  void unpack(const std::string& tar) const {
    StringSource source(tar);
    unpack_layer(source,
                 {.folder = root, .whiteouts = LayerTarget::Whiteouts::remove, .below = {}});
  }
  ExitCode refused(const std::string& tar) const {
    try {
      unpack(tar);
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::ok;
  }
};

}  // namespace

TEST_CASE("a layer's links count from its own root, and lead nowhere else") {
  const Node node;
  write_file(node.folder / "outside", "untouched");
  const std::string outside = node.folder.path().string();
  node.unpack(ended(member('2', "absolute", outside) + member('2', "up", "../../../../up-there") +
                    member('0', "absolute/outside", {}, "inside") +
                    member('0', "up/file", {}, "up") + member('2', "self", "self2")));
  CHECK(read_file(node.folder / "outside") == "untouched");
  CHECK(read_file(std::filesystem::path(node.root.string() + outside) / "outside") == "inside");
  CHECK(read_file(node.root / "up-there/file") == "up");
  struct stat status {};
  REQUIRE(::stat((node.root / "up-there/file").c_str(), &status) == 0);
  CHECK(status.st_mtime == 1577836800);
  CHECK((status.st_mode & 07777) == 0644);
}

TEST_CASE("a file takes the place of a link, it is not written through") {
  const Node node;
  write_file(node.folder / "outside", "untouched");
  node.unpack(ended(member('2', "name", (node.folder / "outside").string()) +
                    member('0', "name", {}, "new")));
  CHECK(read_file(node.folder / "outside") == "untouched");
  CHECK_FALSE(std::filesystem::is_symlink(node.root / "name"));
  CHECK(read_file(node.root / "name") == "new");
}

TEST_CASE("a hard link reaches nothing outside") {
  const Node node;
  CHECK(node.refused(ended(member('1', "stolen", "/etc/passwd"))) != ExitCode::ok);
  CHECK_FALSE(std::filesystem::exists(node.root / "stolen"));
}

TEST_CASE("links in circles end") {
  const Node node;
  CHECK(node.refused(ended(member('2', "a", "b") + member('2', "b", "a") +
                           member('0', "a/file", {}, "x"))) == ExitCode::verification);
}

TEST_CASE("whiteouts that name no file are refused") {
  const Node node;
  write_file(node.folder / "kept", "kept");
  for (const char* name : {".wh.", ".wh..", ".wh...", "folder/.wh..."})
    CHECK(node.refused(ended(member('0', name))) == ExitCode::verification);
  CHECK(std::filesystem::exists(node.root));
  CHECK(std::filesystem::exists(node.folder / "kept"));
}

TEST_CASE("what is left to containerd") {
  const Node node;
  CHECK_THROWS_AS(node.unpack(ended(member('0', "../escape"))), UnusualLayer);
  CHECK_THROWS_AS(node.unpack(ended(member('0', "a/../b"))), UnusualLayer);
  CHECK_THROWS_AS(node.unpack(ended(member('S', "sparse"))), UnusualLayer);
  CHECK_THROWS_AS(node.unpack(ended(member('g', "global"))), UnusualLayer);
  CHECK_THROWS_AS(node.unpack(ended(member('x', "pax", {}, "22 GNU.sparse.major=1\n"))),
                  UnusualLayer);
  CHECK_FALSE(std::filesystem::exists(node.folder / "escape"));
}

TEST_CASE("damaged archives are refused") {
  const Node node;
  const std::string good = member('0', "name", {}, "content");
  CHECK(node.refused(good.substr(0, 100)) == ExitCode::verification);
  CHECK(node.refused(good.substr(0, 515)) == ExitCode::verification);
  std::string flipped = good;
  flipped[3] = 'x';
  CHECK(node.refused(ended(flipped)) == ExitCode::verification);
  for (const char* records : {"99 path=x\n", "9 path=x", "3 x\n", "8 =abc\n", "x path=y\n",
                              "0 a=b\n", "18446744073709551615 a=b\n"})
    CHECK(node.refused(ended(member('x', "pax", {}, records) + good)) == ExitCode::verification);
  CHECK(node.refused(ended(good + std::string(512, '\0') + good)) == ExitCode::verification);
}

TEST_CASE("a layer's stream ends where its compression says") {
  const auto stream = [](const std::string& bytes) {
    return LayerStream(std::make_unique<StringSource>(bytes)).finish();
  };
  CHECK(stream("plain") == sha256("plain"));
  CHECK(stream("") == sha256(""));
  // `printf hello | gzip -n`
  const std::string gzip(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86"
      "\xa6\x10\x36\x05\x00\x00\x00",
      25);
  CHECK(stream(gzip) == sha256("hello"));
  CHECK(stream(gzip + gzip) == sha256("hellohello"));
  CHECK_THROWS_AS(stream(gzip.substr(0, 20)), Error);
  CHECK_THROWS_AS(stream(gzip + "rubbish"), Error);
}

TEST_CASE("chain IDs as the image specification defines them") {
  const auto a = sha256("a"), b = sha256("b"), c = sha256("c");
  const auto chain = chain_ids({a, b, c});
  REQUIRE(chain.size() == 3);
  CHECK(chain[0] == a);
  CHECK(chain[1] == sha256(a.str() + " " + b.str()));
  CHECK(chain[2] == sha256(chain[1].str() + " " + c.str()));
}

TEST_CASE("what `ctr snapshots prepare --mounts` says") {
  const auto lowest = target_of_mounts(
      Json::parse(R"([{"Type":"bind","Source":"/c/snapshots/1/fs","Options":["rw","rbind"]}])"));
  CHECK(lowest.folder == "/c/snapshots/1/fs");
  CHECK(lowest.whiteouts == LayerTarget::Whiteouts::remove);
  const auto above = target_of_mounts(Json::parse(
      R"([{"Type":"overlay","Source":"overlay","Options":["index=off","workdir=/c/3/work",)"
      R"("upperdir=/c/3/fs","lowerdir=/c/2/fs:/c/1/fs"]}])"));
  CHECK(above.folder == "/c/3/fs");
  CHECK(above.whiteouts == LayerTarget::Whiteouts::overlay);
  CHECK(above.below == std::vector<std::filesystem::path>{"/c/2/fs", "/c/1/fs"});
  for (const char* odd : {"[]", "{}", R"([{"Type":"zfs","Source":"x"}])",
                          R"([{"Type":"overlay","Options":["userxattr","upperdir=/c/3/fs"]}])",
                          R"([{"Type":"overlay","Options":["lowerdir=/c/2/fs"]}])"})
    CHECK_THROWS_AS(target_of_mounts(Json::parse(odd)), UnusualLayer);
}
