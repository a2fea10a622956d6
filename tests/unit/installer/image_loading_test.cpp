#include <catch2/catch.hpp>

#include "installer/context.hpp"
#include "installer/loading_mark.hpp"
#include "installer/runtimes/containerd_images.hpp"
#include "temp_root.hpp"

using namespace kbundle;

namespace {
const std::string kContent = "/c/io.containerd.content.v1.content/blobs/sha256/";
}

TEST_CASE("a damaged blob is known by its file's size, and by its bytes when asked") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  const ContainerdImages images({host, "ctr", "/sock", "", "/c"});
  const std::string good = "good", cut = "cut short", flipped = "flipped", gone = "gone";
  std::vector<BlobRecord> wanted;
  for (const auto* text : {&good, &cut, &flipped, &gone})
    wanted.push_back({sha256(*text), text->size(), "identity", 0});
  CHECK(images.damaged_content(wanted, false).empty());  // the content store is elsewhere

  host.write(kContent + sha256(good).hex(), good);
  host.write(kContent + sha256(cut).hex(), "cut");
  host.write(kContent + sha256(flipped).hex(), "flipPed");
  const auto damaged = images.damaged_content(wanted, false);
  REQUIRE(damaged.size() == 2);
  CHECK(damaged[0].digest == sha256(cut));
  CHECK(damaged[0].why == "has 3 of 9 bytes");
  CHECK_FALSE(damaged[0].gone);
  CHECK(damaged[1].digest == sha256(gone));
  CHECK(damaged[1].gone);
  const auto deep = images.damaged_content(wanted, true);
  REQUIRE(deep.size() == 3);
  CHECK(deep[1].digest == sha256(flipped));

  images.drop_content({sha256(cut)});
  CHECK_FALSE(host.exists(kContent + sha256(cut).hex()));
  REQUIRE(host.commands_.size() == 1);
  CHECK(host.commands_[0] == "ctr --address /sock -n k8s.io content rm " + sha256(cut).str());
}

TEST_CASE("the mark of a load tells whether the host went down since") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  host.write("/proc/sys/kernel/random/boot_id", "first\n");
  CHECK_FALSE(read_loading_mark(host));
  write_loading_mark(host, {.names = {"a/b:1", "c/d:2"}, .fast = true});
  auto mark = read_loading_mark(host);
  REQUIRE(mark);
  CHECK(mark->names == std::set<std::string>{"a/b:1", "c/d:2"});
  CHECK(mark->fast);
  CHECK_FALSE(mark->other_boot);
  host.write("/proc/sys/kernel/random/boot_id", "second\n");
  CHECK(read_loading_mark(host)->other_boot);
  host.write(node_path::image_loading, "{");
  CHECK(read_loading_mark(host));  // a load was left unfinished all the same
  remove_loading_mark(host);
  CHECK_FALSE(read_loading_mark(host));
}
