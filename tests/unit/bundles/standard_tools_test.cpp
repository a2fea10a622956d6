// What docs/bundle-format.md promises to people without kbundle: zstd, tar and openssl are enough.
#include <catch2/catch.hpp>

#include "bundles/envelope.hpp"
#include "bundles/image_stream.hpp"
#include "bundles/sums.hpp"
#include "core/text.hpp"
#include "sample.hpp"

using namespace kbundle;
using kbundle::test::refusal;
using kbundle::test::shell;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("zstd and tar read a bundle") {
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate();
  const auto sample = test::small_sample();
  sample.write(folder / "b.tar.zst", key);
  const std::string in = "cd " + folder.path().string() + " && ";

  CHECK(shell(in + "zstd -q -t b.tar.zst").ok());
  const auto list = shell(in + "zstd -dc b.tar.zst | tar t");
  REQUIRE(list.ok());
  CHECK(list.errors.empty());
  const auto lines = split(trim(list.output), '\n');
  REQUIRE(lines.size() == 3 + sample.blobs.size());
  CHECK(lines[0] == "kbundle.dsse.json");
  CHECK(lines[1] == "oci-layout");
  CHECK(lines[2] == "index.json");
  CHECK(std::is_sorted(lines.begin() + 3, lines.end()));

  REQUIRE(shell(in + "zstd -dc b.tar.zst | tar x").ok());
  for (const auto& [digest, content] : sample.blobs) {
    CHECK((read_file(folder.path() / "blobs/sha256" / digest.hex()) == content));
  }
  const auto index = Json::parse(read_file(folder / "index.json"));
  const auto& first = index.at("manifests").at(0);
  CHECK(first.at("digest") == sample.inventory.images[0].digest.str());
  CHECK(first.at("annotations").at("io.containerd.image.name") ==
        "k8s.gcr.io/kube-apiserver:v1.18.2");
  CHECK(first.at("annotations").at("org.opencontainers.image.ref.name") == "v1.18.2");
  CHECK(read_file(folder / "oci-layout") == R"({"imageLayoutVersion":"1.0.0"})");
}

TEST_CASE("openssl checks the envelope's signature") {
  const test::TemporaryFolder folder;
  const auto algorithm = GENERATE(KeyAlgorithm::ed25519, KeyAlgorithm::ecdsa_p256);
  const auto key = PrivateKey::generate(algorithm);
  const auto id = test::small_sample().write(folder / "b.tar.zst", key).id;
  write_file(folder / "key.pub", key.public_key().pem());
  const bool ed25519 = algorithm == KeyAlgorithm::ed25519;
  const std::string verify =
      ed25519 ? "openssl pkeyutl -verify -rawin -pubin -inkey key.pub -in pae -sigfile sig"
              : "openssl dgst -sha256 -verify key.pub -signature sig pae";
  // As in docs/bundle-format.md.
  const std::string script = "cd " + folder.path().string() + R"script(
    zstd -dc b.tar.zst | tar xO kbundle.dsse.json > envelope
    sed 's/^{"payload":"\([^"]*\)".*/\1/' envelope | base64 -d > payload
    sed 's/.*"sig":"\([^"]*\)".*/\1/' envelope | base64 -d > sig
    type=$(sed 's/.*"payloadType":"\([^"]*\)".*/\1/' envelope)
    { printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c < payload)"; cat payload; } > pae
    sha256sum < payload
    )script";
  const auto good = shell(script + verify);
  INFO(good.output << good.errors);
  CHECK(good.ok());
  CHECK(contains(good.output, Digest::parse(id).hex()));
  CHECK_FALSE(shell(script + "printf x >> pae; " + verify).ok());
}

TEST_CASE("openssl and sha256sum check the sums") {
  const test::TemporaryFolder folder;
  const auto algorithm = GENERATE(KeyAlgorithm::ed25519, KeyAlgorithm::ecdsa_p256);
  const auto key = PrivateKey::generate(algorithm);
  write_file(folder / "key.pub", key.public_key().pem());
  write_file(folder / "kbundle", "program");
  write_file(folder / "a file", "content");
  write_sums(folder.path(), {"kbundle", "a file", "key.pub"}, key);
  const std::string in = "cd " + folder.path().string() + " && ";
  const std::string verify =
      algorithm == KeyAlgorithm::ed25519
          ? "openssl pkeyutl -verify -rawin -pubin -inkey key.pub -in SHA256SUMS "
            "-sigfile SHA256SUMS.sig"
          : "openssl dgst -sha256 -verify key.pub -signature SHA256SUMS.sig SHA256SUMS";
  CHECK(shell(in + verify).ok());
  CHECK(shell(in + "sha256sum --strict -c SHA256SUMS").ok());
  CHECK(read_file(folder / "SHA256SUMS").substr(64, 8) == "  a file");
  write_file(folder / "kbundle", "another");
  CHECK_FALSE(shell(in + "sha256sum -c SHA256SUMS").ok());
  write_sums(folder.path(), {"kbundle"}, key);
  CHECK(shell(in + verify).ok());

  const auto any = sha256("");
  CHECK(sums_text({{"b", any}, {"a", any}}) == any.hex() + "  a\n" + any.hex() + "  b\n");
  for (const std::string name : {"a\nb", "../x", "a\\b", ""}) {
    CHECK_FALSE(refusal([&] { sums_text({{name, any}}); }, ExitCode::usage).empty());
  }
}

TEST_CASE("the stream for a container runtime") {
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate();
  const auto sample = test::small_sample();
  sample.write(folder / "b.tar.zst", key);
  const auto bundle = test::open_signed(folder / "b.tar.zst", key);
  const auto platform = Platform::parse("linux/amd64");
  const auto& images = bundle.inventory().images;
  CHECK(image_blobs(bundle, images[0], platform).size() == 4);  // with its index
  CHECK(image_blobs(bundle, images[1], platform).size() == 3);

  StringSink sink;
  std::uint64_t bytes = 0;
  write_image_stream(bundle, {{&images[0], {"k8s.gcr.io/kube-apiserver:v1.18.2", "x.io/y:1"}}},
                     platform, sink, [&](std::uint64_t count) { bytes += count; });
  CHECK(bytes > 3000);
  write_file(folder / "stream.tar", sink.str());
  REQUIRE(shell("cd " + folder.path().string() + " && mkdir out && tar xf stream.tar -C out").ok());
  const auto index = Json::parse(read_file(folder.path() / "out/index.json"));
  REQUIRE(index.at("manifests").size() == 2);
  CHECK(index.at("manifests")[1].at("digest") == images[0].digest.str());
  CHECK(index.at("manifests")[1].at("annotations").at("io.containerd.image.name") == "x.io/y:1");
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder.path() / "out/blobs/sha256")) {
    CHECK(sha256(read_file(entry.path())).hex() == entry.path().filename().string());
    ++count;
  }
  CHECK(count == 4);

  CHECK(contains(refusal([&] { image_blobs(bundle, images[0], Platform::parse("linux/arm64")); },
                         ExitCode::preflight),
                 "no linux/arm64 form"));
}
