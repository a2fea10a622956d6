// Every single-bit flip and every truncation of a bundle is refused.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "bundles/head.hpp"
#include "sample.hpp"

using namespace kbundle;
using kbundle::test::refusal;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::unique_ptr<Progress> quiet = make_progress(ProgressMode::quiet);

// Sanitizers make every step some ten times slower: there, not every place is tried.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kStep = 13;
#else
constexpr std::size_t kStep = 1;
#endif

class BytesSource final : public RandomSource {
 public:
  explicit BytesSource(std::string all) : bytes(std::move(all)) {}
  std::uint64_t size() const override { return bytes.size(); }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> buffer) const override {
    if (offset >= bytes.size()) return 0;
    const auto count = std::min<std::uint64_t>(buffer.size(), bytes.size() - offset);
    std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()) + offset, count, buffer.begin());
    return count;
  }
  std::string bytes;
};

// A bundle whose bytes are changed in place.
struct Damaged {
  test::TemporaryFolder folder;
  std::filesystem::path file = folder / "b.tar.zst";
  PrivateKey key = PrivateKey::generate();
  std::string bytes;
  Inventory inventory;
  UniqueFd fd;

  explicit Damaged(const test::Sample& sample) {
    sample.write(file, key);
    bytes = read_file(file);
    inventory = test::open_signed(file, key).inventory();
    fd = open_file(file, O_WRONLY);
  }
  void put(std::size_t at, char byte) const {
    REQUIRE(::pwrite(fd.get(), &byte, 1, static_cast<off_t>(at)) == 1);
  }
  std::string open_refusal() const {
    return refusal([&] { test::open_signed(file, key); });
  }
  // How many of the single-bit changes from `begin` to `end` are accepted by `refused`.
  template <typename Refused>
  std::size_t accepted(std::size_t begin, std::size_t end, Refused&& refused) const {
    std::size_t count = 0;
    for (std::size_t at = begin; at < end; at += kStep) {
      for (int bit = 0; bit < 8; ++bit) {
        put(at, static_cast<char>(bytes[at] ^ (1 << bit)));
        if (!refused()) ++count;
      }
      put(at, bytes[at]);
    }
    return count;
  }
};

}  // namespace

TEST_CASE("every single bit of a bundle counts") {
  const Damaged bundle(test::tiny_sample());
  const auto refused = [&] { return !bundle.open_refusal().empty(); };
  const auto head = read_head(BytesSource(bundle.bytes));
  const auto head_size = bundle.inventory.head_size;
  const auto frame_end = head_size + bundle.inventory.frames.at(0).stored_size;
  REQUIRE(bundle.inventory.frames.size() == 1);
  REQUIRE_FALSE(refused());

  // Frame 0, the header of the padding and a little of it, and the seek table: opened for each bit.
  CHECK(bundle.accepted(0, head.frame0_stored + 32, refused) == 0);
  CHECK(bundle.accepted(head_size - 8, head_size, refused) == 0);
  CHECK(bundle.accepted(frame_end, bundle.bytes.size(), refused) == 0);

  // The padding: the one function that looks at it, over all its bits.
  BytesSource padded(bundle.bytes);
  std::size_t accepted = 0;
  for (auto at = head.frame0_stored; at < head_size; at += kStep) {
    for (int bit = 0; bit < 8; ++bit) {
      padded.bytes[at] = static_cast<char>(bundle.bytes[at] ^ (1 << bit));
      if (refusal([&] { check_padding(padded, head, head_size); }).empty()) ++accepted;
    }
    padded.bytes[at] = bundle.bytes[at];
  }
  CHECK(accepted == 0);

  // The frame: open() does not look, verify() and every use do. Changed under an open bundle.
  const auto opened = test::open_signed(bundle.file, bundle.key);
  const auto digest = bundle.inventory.blobs.at(0).digest;
  CHECK(bundle.accepted(head_size, frame_end, [&] {
    return opened.bad_frames(*quiet).size() == 1 &&
           !refusal([&] { opened.read_blob(digest); }).empty();
  }) == 0);
  CHECK(opened.bad_frames(*quiet).empty());
}

TEST_CASE("a damaged byte is named with its place") {
  const Damaged bundle(test::tiny_sample());
  const auto head_size = bundle.inventory.head_size;
  bundle.put(head_size - 1, 'x');
  CHECK(bundle.open_refusal() == "the file is damaged at byte " + std::to_string(head_size - 1) +
                                     ", in the padding of its header");
  bundle.put(head_size - 1, '\0');
  bundle.put(bundle.bytes.size() - 1, 'x');
  CHECK(bundle.open_refusal() == "the file is damaged at byte " +
                                     std::to_string(bundle.bytes.size() - 1) +
                                     ", in its seek table");
}

TEST_CASE("a seek table that claims 2^29 frames is refused") {
  const Damaged bundle(test::tiny_sample());
  bundle.put(bundle.bytes.size() - 9 + 3, '\x20');
  CHECK(contains(bundle.open_refusal(), "in its seek table"));
}

TEST_CASE("all bad frames are listed") {
  auto sample = test::small_sample();
  sample.add_file("large", "/opt/large", test::random_bytes(33U << 20U, 5));
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate();
  WriteOptions options;
  options.compression_level = 1;
  sample.write(folder / "b.tar.zst", key, options);
  const auto bundle = test::open_signed(folder / "b.tar.zst", key);
  const auto& frames = bundle.inventory().frames;
  REQUIRE(frames.size() >= 3);
  const auto fd = open_file(folder / "b.tar.zst", O_RDWR);
  const auto flip = [&](std::uint64_t at) {
    char byte = 0;
    REQUIRE(::pread(fd.get(), &byte, 1, static_cast<off_t>(at)) == 1);
    byte = static_cast<char>(byte ^ 1);
    REQUIRE(::pwrite(fd.get(), &byte, 1, static_cast<off_t>(at)) == 1);
  };
  const auto first = bundle.inventory().head_size;
  const auto second = first + frames[0].stored_size;
  flip(first + 3);
  flip(second + frames[1].stored_size - 1);
  const auto bad = bundle.bad_frames(*quiet);
  REQUIRE(bad.size() == 2);
  CHECK(bad[0].number == 1);
  CHECK(bad[0].offset == first);
  CHECK(bad[0].size == frames[0].stored_size);
  CHECK(bad[1].number == 2);
  CHECK(bad[1].offset == second);
  const auto message = refusal([&] { bundle.verify(*quiet); });
  CHECK(contains(message, "2 of " + std::to_string(frames.size()) + " frames"));
  CHECK(contains(message, "frame 1 (bytes " + std::to_string(first) + " to "));
  CHECK(contains(message, "frame 2 (bytes " + std::to_string(second) + " to "));
}

TEST_CASE("a bundle cut at any length is refused") {
  const Damaged bundle(test::tiny_sample());
  const auto size = bundle.bytes.size();
  const auto head_size = bundle.inventory.head_size;
  std::size_t tried = 0;
  for (std::size_t length = size; length-- > 0;) {
    const bool inside_padding = length > 4096 && length < head_size;
    if (inside_padding && length % 61 != 0 && length + 8 < head_size) continue;
    if (length % kStep != 0) continue;
    REQUIRE(::ftruncate(bundle.fd.get(), static_cast<off_t>(length)) == 0);
    const auto message = bundle.open_refusal();
    ++tried;
    if (length < head_size) {
      if (!contains(message, "the file ends inside its header")) FAIL(length << ": " << message);
    } else {
      const auto wanted = "the file is incomplete: " + std::to_string(length) + " of " +
                          std::to_string(size) + " bytes";
      if (message != wanted) FAIL(length << ": " << message);
    }
  }
  CHECK(tried > 5000 / kStep);
}

TEST_CASE("trailing garbage is refused") {
  const Damaged bundle(test::tiny_sample());
  const std::string garbage =
      GENERATE(std::string(1, '\0'), std::string("x"), std::string("\x50\x2A\x4D\x18\0\0\0\0", 8));
  write_file(bundle.file, bundle.bytes + garbage);
  CHECK(contains(bundle.open_refusal(), "longer than the bundle"));
}
