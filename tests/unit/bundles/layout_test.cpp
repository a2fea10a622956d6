#include "bundles/layout.hpp"

#include <catch2/catch.hpp>

#include "bundles/ustar.hpp"
#include "sample.hpp"

using namespace kbundle;

namespace {

std::vector<PlannedFrame> plan(const std::vector<MemberSpan>& members) {
  const auto frames = plan_frames(members);
  std::uint64_t planned = 0;
  std::uint64_t wanted = 0;
  for (const auto& frame : frames) planned += frame.content_size;
  for (const auto& member : members) wanted += member.span;
  CHECK(planned == wanted);
  return frames;
}

using Frames = std::vector<PlannedFrame>;
constexpr std::uint64_t F = kFrameContent;
constexpr std::uint64_t R = kRawFrameContent;
constexpr std::uint64_t K = 96U << 10U;

}  // namespace

TEST_CASE("how members are cut into frames") {
  CHECK(plan({}).empty());
  CHECK(plan({{1024}}) == Frames{{1024}});
  CHECK(plan({{K}, {K}, {2 * K}}) == Frames{{4 * K}});
  CHECK(plan({{F - K}, {K}}) == Frames{{F}});
  CHECK(plan({{F - K}, {K + 512}}) == Frames{{F - K}, {K + 512}});
  CHECK(plan({{K}, {F}, {K}}) == Frames{{K}, {F}, {K}});
  CHECK(plan({{F + 512}}) == Frames{{F}, {512}});
  // What is left of a large member stays alone: the next one starts a frame of its own.
  CHECK(plan({{K}, {2 * F + 512}, {K}, {K}}) == Frames{{K}, {F}, {F}, {512}, {2 * K}});
}

TEST_CASE("what is of an image has frames of its own") {
  constexpr auto image = Packing::image;
  constexpr auto raw = Packing::compressed;
  CHECK(plan({{K}, {1024, image}, {1024, image}, {K}}) == Frames{{K}, {1024}, {1024}, {K}});
  CHECK(plan({{kImageFrameContent + 512, image}, {K}}) == Frames{{kImageFrameContent}, {512}, {K}});
  CHECK(plan({{K}, {2 * R + 512, raw}, {K}}) ==
        Frames{{K}, {R, true}, {R, true}, {512, true}, {K}});
  CHECK(plan({{R, raw}, {K, raw}}) == Frames{{R, true}, {K, true}});
}

TEST_CASE("large bodies have larger raw frames, and not too many") {
  const auto raw_size = [](std::uint64_t span) {
    return plan_frames(std::vector<MemberSpan>{{span, Packing::compressed}}).front().content_size;
  };
  CHECK(raw_size(2ULL << 30U) == R);
  CHECK(raw_size((2ULL << 30U) + kMostRawFrames) == 2 * R);
  CHECK(raw_size(20ULL << 30U) == 10 * R);
  CHECK(plan_frames(std::vector<MemberSpan>{{200ULL << 30U, Packing::compressed}}).size() <=
        kMostRawFrames);
}

TEST_CASE("what counts as compressed already") {
  CHECK(is_compressed("\x1f\x8b\x08\x00"));
  CHECK(is_compressed("\x28\xb5\x2f\xfd"));
  CHECK_FALSE(is_compressed("PK\x03\x04"));
  CHECK_FALSE(is_compressed("\x1f"));
}

TEST_CASE("the canonical tar header") {
  const test::TemporaryFolder folder;
  const auto header = ustar_header("blobs/sha256/" + std::string(64, 'a'), 5);
  std::string archive(header.data(), header.size());
  archive += "hello" + std::string(ustar_padding(5), '\0') + std::string(kUstarEndSize, '\0');
  CHECK(archive.size() == ustar_span(5) + kUstarEndSize);
  write_file(folder / "a.tar", archive);
  const auto list =
      test::shell("TZ=UTC tar tvf " + (folder / "a.tar").string() + " --numeric-owner");
  REQUIRE(list.ok());
  CHECK(list.errors.empty());
  CHECK(list.output.find("-rw-r--r-- 0/0 ") == 0);
  CHECK(list.output.find(" 5 1970-01-01 00:00 blobs/sha256/aaaa") != std::string::npos);

  CHECK(ustar_padding(0) == 0);
  CHECK(ustar_padding(512) == 0);
  CHECK(ustar_padding(513) == 511);
  const auto largest = ustar_header("x", (1ULL << 33U) - 1);
  CHECK(std::string(largest.data() + 124, 12) == std::string("77777777777\0", 12));
  CHECK_THROWS_AS(ustar_header("x", 1ULL << 33U), Error);
  CHECK_THROWS_AS(ustar_header(std::string(101, 'x'), 1), Error);
  CHECK_THROWS_AS(ustar_header("", 1), Error);
}

TEST_CASE("index.json names images and leaves files unnamed") {
  const auto sample = test::small_sample();
  const auto index = Json::parse(bundle_index_json(sample.inventory));
  CHECK(index.at("schemaVersion") == 2);
  const auto& manifests = index.at("manifests");
  REQUIRE(manifests.size() == 3 + 3);
  CHECK(manifests[0].at("digest") == manifests[1].at("digest"));
  CHECK(manifests[0].at("annotations").at("io.containerd.image.name") ==
        "k8s.gcr.io/kube-apiserver:v1.18.2");
  CHECK(manifests[1].at("annotations").at("io.containerd.image.name") ==
        "registry.local/kube-apiserver:v1.18.2");
  CHECK(manifests[2].at("annotations").at("org.opencontainers.image.ref.name") == "3.2");
  for (std::size_t i = 3; i < 6; ++i) {
    CHECK(manifests[i].at("mediaType") == "application/octet-stream");
    CHECK(manifests[i].at("annotations").size() == 2);
    CHECK(manifests[i].at("annotations").contains("vnd.kbundle.path"));
  }
}
