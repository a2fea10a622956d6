#include "bundles/inventory.hpp"

#include <catch2/catch.hpp>

#include "sample.hpp"

using namespace kbundle;
using kbundle::test::refusal;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The inventory of a written bundle, offsets and frames filled in.
Inventory written_inventory() {
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate();
  test::small_sample().write(folder / "b.tar.zst", key);
  return test::open_signed(folder / "b.tar.zst", key).inventory();
}

// Why parse() refuses what `change` makes of a good inventory.
template <typename Change>
std::string after(Inventory inventory, Change&& change) {
  change(inventory);
  return refusal([&] { Inventory::parse(inventory.serialize()); });
}

}  // namespace

TEST_CASE("an inventory there and back") {
  const auto inventory = written_inventory();
  const auto text = inventory.serialize();
  const auto again = Inventory::parse(text);
  CHECK(again.serialize() == text);
  CHECK(again.files.at(0).mode == 0755);
  CHECK(again.images.at(0).names.size() == 2);
  CHECK(again.find_blob(again.files.at(0).digest) != nullptr);
  CHECK(again.find_blob(sha256("no such")) == nullptr);
  CHECK(again.find_file("kubeadm", Platform::parse("linux/amd64")) != nullptr);
  CHECK(again.find_file("kubeadm", Platform::parse("linux/arm64")) == nullptr);
}

TEST_CASE("only the canonical spelling of an inventory is read") {
  const auto text = written_inventory().serialize();
  const auto refused = [](const std::string& bytes) {
    return !refusal([&] { Inventory::parse(bytes); }).empty();
  };
  REQUIRE_FALSE(refused(text));
  CHECK(refused(""));
  CHECK(refused("null"));
  CHECK(refused(text + "\n"));
  CHECK(refused(Json::parse(text).dump(1)));
  const auto with = [&](const std::string& from, const std::string& to) {
    auto changed = text;
    const auto at = changed.find(from);
    REQUIRE(at != std::string::npos);
    return changed.replace(at, from.size(), to);
  };
  CHECK(refused(with("\"serial\":3", "\"serial\":3.0")));
  CHECK(refused(with("\"serial\":3", "\"serial\":-3")));
  CHECK(refused(with("\"serial\":3", "\"serial\":3e0")));
  CHECK(refused(with("\"serial\":3", "\"serial\":3,\"serial\":3")));
  CHECK(refused(with("\"serial\":3", "\"serial\":3,\"surplus\":3")));
  CHECK(refused(with("\"memory\":4", "\"memory\":4,\"other\":4")));
  CHECK(refused(with("\"mode\":\"0755\"", "\"mode\":\"755\"")));
  CHECK(refused(with("\"mode\":\"0755\"", "\"mode\":\"4755\"")));
  CHECK(refused(with("sha256:", "SHA256:")));
  CHECK(refused(with("k8s.gcr.io/pause", "k8s.gcr.io\\/pause")));
  const auto whole = Json::parse(text);
  for (const auto& item : whole.items()) {
    auto without = whole;
    without.erase(item.key());
    INFO(item.key());
    CHECK(refused(without.dump()));
  }
}

TEST_CASE("an unknown format is named") {
  const auto why = after(written_inventory(), [](Inventory& inventory) { inventory.format = 2; });
  CHECK(contains(why, "format 2"));
}

TEST_CASE("records that do not fit together") {
  const auto good = written_inventory();
  const auto because = [&](const std::string& why, const std::function<void(Inventory&)>& change) {
    const auto message = after(good, change);
    INFO(message);
    CHECK(contains(message, why));
  };
  because("lies at offset", [](Inventory& i) { i.blobs[1].offset = i.blobs[0].offset; });
  because("lies at offset", [](Inventory& i) { i.blobs.back().offset += 512; });
  because("lies at offset", [](Inventory& i) { i.files.pop_back(); });  // index.json is shorter
  because("not sorted", [](Inventory& i) { std::swap(i.blobs[0], i.blobs[1]); });
  because("not sorted", [](Inventory& i) { i.blobs.push_back(i.blobs.back()); });
  because("is stored as", [](Inventory& i) { i.blobs[0].stored = "gzip-recipe"; });
  because("8 GiB", [](Inventory& i) { i.blobs[0].size = 1ULL << 33U; });
  because("the frames hold", [](Inventory& i) { ++i.frames[0].content_size; });
  because("the frames hold", [](Inventory& i) { i.frames.clear(); });
  because("is stored in", [](Inventory& i) { i.frames[0].stored_size = 0; });
  because("is stored in", [](Inventory& i) { i.frames[0].stored_size = 1ULL << 40U; });
  because("has a content", [](Inventory& i) { i.frames[0].content_size = 0; });
  because("has a content", [](Inventory& i) { i.frames[0].content_size = (1U << 30U) + 1; });
  because("head_size", [](Inventory& i) { i.head_size += 512; });
  because("head_size", [](Inventory& i) { i.head_size = 0; });
  because("head_size", [](Inventory& i) { i.head_size = 1ULL << 40U; });
  because("gives", [](Inventory& i) { ++i.files[0].size; });
  because("gives", [](Inventory& i) { ++i.images[0].size; });
  because("not in the bundle", [](Inventory& i) { i.files[0].digest = sha256("?"); });
  because("not in the bundle", [](Inventory& i) { i.images[0].platforms[0].config = sha256("?"); });
  because("unknown type", [](Inventory& i) { i.images[0].media_type = "text/plain"; });
  because("do not fit its type",
          [](Inventory& i) { i.images[0].media_type = media_type::oci_manifest; });
  because("has no name", [](Inventory& i) { i.images[0].names.clear(); });
  because("two images have the name",
          [](Inventory& i) { i.images[0].names.push_back(i.images[1].names[0]); });
  because("not a full reference", [](Inventory& i) { i.images[0].names[0] = "busybox"; });
  because("has no platform", [](Inventory& i) { i.images[0].platforms.clear(); });
  because("special mode", [](Inventory& i) { i.files[0].mode = 04755; });
  because("not absolute", [](Inventory& i) { i.files[0].path = "usr/bin/kubeadm"; });
  because("plain form", [](Inventory& i) { i.files[0].path = "/usr/../etc/shadow"; });
  because("plain form", [](Inventory& i) { i.files[0].path = "/usr//bin/x"; });
  because("plain form", [](Inventory& i) { i.files[0].path = "/usr/bin/"; });
  because("control characters", [](Inventory& i) { i.files[0].path = "/a\nb"; });
  because("control characters", [](Inventory& i) { i.cni = "\x1b[2J"; });
  because("listed twice", [](Inventory& i) { i.files[1].path = i.files[0].path; });
  because("not a platform", [](Inventory& i) { i.platforms[0].os = "li nux"; });
  because("not a word", [](Inventory& i) { i.line = "../x"; });
  because("plain UTC time", [](Inventory& i) { i.created = "4052-01-31T12:00:00Z"; });
  because("not a full reference", [](Inventory& i) { i.images[0].names[0] = "a b"; });
  because("plain UTC time", [](Inventory& i) { i.created = "yesterday"; });
  because("plain UTC time", [](Inventory& i) { i.created = "2026-1-31T12:00:00Z"; });
  because("implausible", [](Inventory& i) { i.serial = UINT64_MAX; });
}
