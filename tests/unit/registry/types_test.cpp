#include "registry/types.hpp"

#include <fmt/core.h>

#include <catch2/catch.hpp>
#include <string>

#include "core/error.hpp"

using namespace kbundle;

namespace {

std::string digest(char c) {
  return "sha256:" + std::string(64, c);
}

std::string descriptor(const std::string& type, char c, const std::string& more = "") {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":7{}}})", type, digest(c), more);
}

const std::string kLayerType = "application/vnd.oci.image.layer.v1.tar+gzip";

std::string manifest(const std::string& layers, const std::string& more = "") {
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]{}}})",
                     media_type::oci_manifest,
                     descriptor("application/vnd.oci.image.config.v1+json", 'c'), layers, more);
}

std::string entry(char c, const std::string& platform) {
  return descriptor(media_type::oci_manifest, c, R"(,"platform":)" + platform);
}

std::string index(const std::string& entries) {
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}})",
                     media_type::oci_index, entries);
}

void check_refused(const std::string& text, const std::string& declared = "") {
  INFO(text.substr(0, 300));
  try {
    if (text.find("\"manifests\"") != std::string::npos)
      Index::parse(text, declared, "test");
    else
      Manifest::parse(text, declared, "test");
    FAIL_CHECK("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::verification);
  }
}

}  // namespace

TEST_CASE("a manifest is read") {
  const std::string text =
      manifest(descriptor(kLayerType, 'a') + "," + descriptor(kLayerType, 'b'));
  const Manifest found = Manifest::parse(text, media_type::oci_manifest, "test");
  CHECK(found.media_type == media_type::oci_manifest);
  CHECK(found.config.digest.str() == digest('c'));
  REQUIRE(found.layers.size() == 2);
  CHECK(found.layers[1].digest.str() == digest('b'));
  CHECK(found.layers[1].size == 7);
  CHECK_NOTHROW(Manifest::parse(text, "", "test"));
  CHECK_NOTHROW(Manifest::parse(text, "application/json; charset=utf-8", "test"));
}

TEST_CASE("documents that could be read as two things are refused") {
  check_refused(manifest("", R"(,"manifests":[])"));
  CHECK_THROWS_AS(Index::parse(manifest("", R"(,"manifests":[])"), "", "test"), Error);
  CHECK_THROWS_AS(Manifest::parse(manifest("", R"(,"manifests":[])"), "", "test"), Error);
  CHECK_THROWS_AS(Manifest::parse(index(""), "", "test"), Error);
  CHECK_THROWS_AS(Index::parse(manifest(""), "", "test"), Error);
  check_refused(manifest(""), media_type::docker_manifest);  // not what was declared
  check_refused(manifest("", R"(,"fsLayers":[])"));
  check_refused(manifest("", R"(,"layers":[])"));  // duplicate key
  check_refused(R"({"schemaVersion":1,"name":"x","fsLayers":[]})");
  check_refused(manifest(""), "application/vnd.docker.distribution.manifest.v1+prettyjws");
}

TEST_CASE("hostile documents are refused") {
  check_refused("");
  check_refused("[]");
  check_refused("{}");
  check_refused(manifest("") + "x");
  check_refused(manifest("7"));
  check_refused(manifest(descriptor("x", 'a', R"(,"platform":7)")));
  check_refused(manifest(descriptor("x", 'a', R"(,"annotations":{"a":7})")));
  check_refused(manifest(R"({"mediaType":"x","digest":"sha256:../../etc","size":1})"));
  check_refused(manifest(R"({"mediaType":"x","digest":")" + digest('a') + R"(","size":-1})"));
  check_refused(manifest(R"({"mediaType":"x","digest":")" + digest('a') +
                         R"(","size":18446744073709551615})"));
  check_refused(manifest(R"({"mediaType":"x","digest":")" + digest('a') + R"(","size":1.5})"));
  check_refused(manifest(descriptor(std::string(300, 'x'), 'a')));
  check_refused(std::string(3000, '[') + std::string(3000, ']'));
  check_refused(manifest("") + std::string(5U << 20U, ' '));

  std::string many = descriptor("x", 'a');
  for (int i = 0; i < 10'000; ++i) many.append(",").append(descriptor("x", 'a'));
  check_refused(manifest(many));
}

TEST_CASE("layers that may not be carried are refused") {
  check_refused(
      manifest(descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", 'a')));
  check_refused(
      manifest(descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", 'a')));
}

TEST_CASE("an index gives the entry for a platform") {
  const Index found =
      Index::parse(index(entry('1', R"({"os":"unknown","architecture":"unknown"})") + "," +
                         entry('2', R"({"os":"linux","architecture":"arm","variant":"v6"})") + "," +
                         entry('3', R"({"os":"linux","architecture":"arm","variant":"v7"})") + "," +
                         entry('4', R"({"os":"linux","architecture":"arm64","variant":"v8"})") +
                         "," + entry('5', R"({"os":"linux","architecture":"amd64"})") + "," +
                         descriptor(media_type::oci_manifest, '6')),
                   media_type::oci_index, "test");
  const auto which = [&](const char* platform) {
    const Descriptor* entry_found = found.find(Platform::parse(platform));
    return entry_found == nullptr ? std::string("none") : entry_found->digest.hex().substr(0, 1);
  };
  CHECK(which("linux/amd64") == "5");
  CHECK(which("linux/arm64") == "4");
  CHECK(which("linux/arm64/v8") == "4");
  CHECK(which("linux/arm/v7") == "3");
  CHECK(which("linux/arm/v6") == "2");
  CHECK(which("linux/arm") == "3");
  CHECK(which("linux/s390x") == "none");
  CHECK(which("windows/amd64") == "none");
  CHECK(found.find(Platform{"unknown", "unknown", ""}) == nullptr);
}

TEST_CASE("a plain entry is preferred to one for a better processor") {
  const Index found =
      Index::parse(index(entry('3', R"({"os":"linux","architecture":"amd64","variant":"v3"})") +
                         "," + entry('1', R"({"os":"linux","architecture":"amd64"})")),
                   "", "test");
  CHECK(found.find(Platform::parse("linux/amd64"))->digest.str() == digest('1'));
}

TEST_CASE("an attestation is never the image") {
  const Index found = Index::parse(
      index(descriptor(media_type::oci_manifest, '1',
                       R"(,"platform":{"os":"linux","architecture":"amd64"},)"
                       R"("annotations":{"vnd.docker.reference.type":"attestation-manifest"})")),
      "", "test");
  CHECK(found.find(Platform::parse("linux/amd64")) == nullptr);
}

TEST_CASE("platforms are parsed") {
  CHECK(Platform::parse("linux/arm/v7").str() == "linux/arm/v7");
  CHECK(Platform::parse("linux/amd64").variant.empty());
  for (const char* bad :
       {"", "linux", "linux/", "/amd64", "linux/arm/v7/x", "Linux/amd64", "a b/c"})
    CHECK_THROWS_AS(Platform::parse(bad), Error);
}

TEST_CASE("the four types are known") {
  CHECK(media_type::is_index(media_type::docker_list));
  CHECK(media_type::is_index(media_type::oci_index));
  CHECK(media_type::is_manifest(media_type::docker_manifest));
  CHECK_FALSE(media_type::is_manifest(media_type::oci_index));
  CHECK_FALSE(media_type::is_index("x"));
}
