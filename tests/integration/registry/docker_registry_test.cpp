// Pulls from a real registry.
#include <fmt/core.h>

#include <atomic>
#include <catch2/catch.hpp>

#include "core/parallel.hpp"
#include "core/text.hpp"
#include "servers.hpp"

using namespace kbundle;
using namespace kbundle::test;
using Catch::Contains;

namespace {

// An image of one layer, in a registry.
struct Image {
  explicit Image(const DockerRegistry& registry, std::size_t layer_size = 1U << 20U)
      : layer(pattern(layer_size)) {
    registry.push_blob("test/image", config);
    registry.push_blob("test/image", layer);
    manifest = fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":)"
        R"("application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[)"
        R"({{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}}]}})",
        media_type::oci_manifest, sha256(config).str(), config.size(), sha256(layer).str(),
        layer.size());
    registry.push_manifest("test/image", "v1", manifest, media_type::oci_manifest);
    reference = Reference::parse(registry.host() + "/test/image:v1");
  }
  std::string config = R"({"architecture":"amd64","os":"linux"})";
  std::string layer;
  std::string manifest;
  Reference reference;
};

}  // namespace

TEST_CASE("an image is pulled, digest by digest") {
  const DockerRegistry registry;
  const Image image(registry);
  const Folder folder;
  BlobStore store(folder.path);
  RegistryClient client(options_for({registry.host()}));

  const auto answer = client.manifest(image.reference);
  REQUIRE(answer);
  CHECK(answer->bytes == image.manifest);
  CHECK(answer->digest == sha256(image.manifest));
  CHECK(answer->media_type == media_type::oci_manifest);

  const auto by_digest = client.manifest(image.reference.with_digest(answer->digest));
  REQUIRE(by_digest);
  CHECK(by_digest->bytes == image.manifest);

  const Manifest manifest =
      Manifest::parse(answer->bytes, answer->media_type, image.reference.str());
  std::uint64_t told = 0;
  const auto count = [&](std::uint64_t bytes) { told += bytes; };
  REQUIRE(client.blob(image.reference, manifest.config, store, count));
  REQUIRE(client.blob(image.reference, manifest.layers[0], store, count));
  CHECK(told == image.config.size() + image.layer.size());
  CHECK(store.read(manifest.layers[0].digest) == image.layer);
  REQUIRE(client.blob(image.reference, manifest.layers[0], store, count));  // already there
}

TEST_CASE("a cut partial is resumed, a corrupted one fetched anew") {
  const DockerRegistry registry;
  const Image image(registry);
  RegistryClient client(options_for({registry.host()}));
  for (const std::string& left : {image.layer.substr(0, 70000), std::string(70000, 'x')}) {
    const Folder folder;
    BlobStore store(folder.path);
    const Descriptor layer = descriptor_of(image.layer);
    { store.open_partial(layer.digest).append(std::as_bytes(std::span(left.data(), left.size()))); }
    REQUIRE(client.blob(image.reference, layer, store, nullptr));
    CHECK(store.read(layer.digest) == image.layer);
  }
}

TEST_CASE("a wrong size in a manifest is found out") {
  const DockerRegistry registry;
  const Image image(registry);
  const Folder folder;
  BlobStore store(folder.path);
  RegistryClient client(options_for({registry.host()}));
  for (const int difference : {-1, 1}) {
    Descriptor layer = descriptor_of(image.layer);
    layer.size = layer.size + static_cast<std::uint64_t>(difference);
    CHECK(error_of([&] { (void)client.blob(image.reference, layer, store, nullptr); }).code() ==
          ExitCode::verification);
  }
}

TEST_CASE("what a registry does not have") {
  const DockerRegistry registry;
  const Image image(registry);
  const Folder folder;
  BlobStore store(folder.path);
  RegistryClient client(options_for({registry.host()}));
  CHECK_FALSE(client.manifest(Reference::parse(registry.host() + "/test/image:v2")));
  CHECK_FALSE(client.manifest(Reference::parse(registry.host() + "/nothing:v1")));
  CHECK_FALSE(client.manifest(image.reference.with_digest(sha256("absent"))));
  CHECK_FALSE(client.blob(image.reference, descriptor_of("absent"), store, nullptr));
}

TEST_CASE("a registry that wants a password") {
  const DockerRegistry registry({.password = true, .certificate = "", .key = ""});
  const Image image(registry);
  const Folder folder;
  RegistryClient anonymous(options_for({registry.host()}));
  const Error refused = error_of([&] { (void)anonymous.manifest(image.reference); });
  CHECK(refused.code() == ExitCode::network);
  CHECK_THAT(refused.hint(), Contains("docker login " + registry.host()));

  const auto with_password = [&](const std::string& password) {
    write(folder.path / "config.json", R"({"auths":{")" + registry.host() + R"(":{"auth":")" +
                                           base64_encode("tester:" + password) + R"("}}})");
    return RegistryClient(options_for({registry.host()}, folder.path)).manifest(image.reference);
  };
  CHECK(error_of([&] { (void)with_password("wrong"); }).code() == ExitCode::network);
  const auto answer = with_password("secret");
  REQUIRE(answer);
  CHECK(answer->bytes == image.manifest);
}

TEST_CASE("one client serves several threads, one blob is fetched once") {
  const DockerRegistry registry;
  const Image image(registry, 8U << 20U);
  const Folder folder;
  BlobStore store(folder.path);
  RegistryClient client(options_for({registry.host()}));
  const Descriptor layer = descriptor_of(image.layer);
  std::atomic<int> pulled = 0;
  for_each_parallel(16, 8, [&](std::size_t i) {
    if (i % 2 == 0)
      pulled += client.blob(image.reference, layer, store, nullptr) ? 1 : 0;
    else
      pulled += client.manifest(image.reference)->bytes == image.manifest ? 1 : 0;
  });
  CHECK(pulled == 16);
  CHECK(store.find(layer.digest) == image.layer.size());
}
