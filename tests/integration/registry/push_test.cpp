// Pushes into a real registry.
#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>

#include "core/text.hpp"
#include "registry/push_client.hpp"
#include "servers.hpp"

using namespace kbundle;
using namespace kbundle::test;
using Catch::Contains;

namespace {

constexpr std::uint64_t kMiB = 1U << 20U;
constexpr std::uint64_t kChunk = 16 * kMiB;

// A blob's content, and what of it was asked for.
struct Blob {
  explicit Blob(std::size_t size) : bytes(pattern(size)), descriptor(descriptor_of(bytes)) {}

  PushClient::Content content() {
    return [this](std::uint64_t offset) -> std::unique_ptr<Source> {
      offsets.push_back(offset);
      return std::make_unique<StringSource>(bytes.substr(offset));
    };
  }
  // As content(), and this process is killed when the byte at `end` is wanted.
  PushClient::Content deadly(std::uint64_t end) {
    class Deadly final : public Source {
     public:
      Deadly(std::string text, std::uint64_t left) : source_(std::move(text)), left_(left) {}
      std::size_t read(std::span<std::byte> buffer) override {
        if (left_ == 0) {
          // What was given before has to be on its way.
          ::usleep(300'000);
          ::kill(::getpid(), SIGKILL);
        }
        const auto count = source_.read(
            buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left_))));
        left_ -= count;
        return count;
      }

     private:
      StringSource source_;
      std::uint64_t left_;
    };
    return [this, end](std::uint64_t offset) -> std::unique_ptr<Source> {
      return std::make_unique<Deadly>(bytes.substr(offset), end - offset);
    };
  }
  std::function<void(std::uint64_t)> count() {
    return [this](std::uint64_t bytes_more) { told += bytes_more; };
  }

  std::string bytes;
  Descriptor descriptor;
  std::vector<std::uint64_t> offsets;
  std::atomic<std::uint64_t> told{0};
};

// Whether a pull gives it, byte for byte.
bool pulls(const DockerRegistry& registry, const std::string& repository, const Descriptor& blob) {
  const Folder folder;
  BlobStore store(folder.path);
  RegistryClient client(options_for({registry.host()}));
  return client.blob(Reference::parse(registry.host() + "/" + repository), blob, store, nullptr);
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("an image is pushed: chunks, small blobs, an empty one, the manifest") {
  const DockerRegistry registry;
  const TransportOptions options = options_for({registry.host()});
  const Folder state;
  PushClient client(options, state.path);
  const auto image = Reference::parse(registry.host() + "/push/image:v1");
  CHECK_FALSE(client.manifest_digest(image));

  Blob layer(40 * kMiB + 5), config(300), empty(0);
  for (Blob* blob : {&layer, &config, &empty}) {
    CHECK_FALSE(client.has_blob(image, blob->descriptor));
    client.blob(image, blob->descriptor, blob->content(), blob->count());
    CHECK(client.has_blob(image, blob->descriptor));
    CHECK(blob->told == blob->bytes.size());
    CHECK(pulls(registry, "push/image", blob->descriptor));
  }
  CHECK(files_in(state.path) == 0);

  const std::string manifest = fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":)"
      R"("application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[]}})",
      media_type::oci_manifest, config.descriptor.digest.str(), config.descriptor.size);
  client.manifest(image, manifest, media_type::oci_manifest);
  CHECK(client.manifest_digest(image) == sha256(manifest));
  const auto by_digest =
      Reference::parse(registry.host() + "/push/image@" + sha256(manifest).str());
  CHECK(client.manifest_digest(by_digest) == sha256(manifest));

  SECTION("a list whose platforms the registry has not got is refused by their digests") {
    const std::string missing = sha256("missing").str();
    const std::string index = fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}",)"
        R"("size":2}}]}})",
        media_type::oci_index, media_type::oci_manifest, missing);
    const Error error = error_of([&] { client.manifest(image, index, media_type::oci_index); });
    CHECK(error.code() == ExitCode::network);
    CHECK_THAT(error.message(), Contains("MANIFEST_BLOB_UNKNOWN") && Contains(missing));
  }
}

TEST_CASE("a blob is mounted from another repository, or goes up where the mount began") {
  const DockerRegistry registry;
  PushClient client(options_for({registry.host()}));
  const auto from = Reference::parse(registry.host() + "/from/a");
  const auto to = Reference::parse(registry.host() + "/to/b");
  Blob blob(kMiB), other(17 * kMiB);
  client.blob(from, blob.descriptor, blob.content(), nullptr);
  CHECK(client.mount(to, blob.descriptor.digest, "from/a"));
  CHECK(client.has_blob(to, blob.descriptor));
  CHECK_FALSE(client.mount(to, other.descriptor.digest, "from/a"));
  client.blob(to, other.descriptor, other.content(), nullptr);
  CHECK(client.has_blob(to, other.descriptor));
}

TEST_CASE("a registry with a password") {
  DockerRegistry::Options password;
  password.password = true;
  const DockerRegistry registry(password);
  const auto image = Reference::parse(registry.host() + "/private/image:v1");
  Blob blob(20 * kMiB);

  PushClient stranger(options_for({registry.host()}));
  const Error error = error_of([&] { (void)stranger.has_blob(image, blob.descriptor); });
  CHECK(error.code() == ExitCode::network);
  CHECK_THAT(error.hint(), Contains("docker login " + registry.host()));

  const Folder folder;
  write(folder.path / "config.json", fmt::format(R"({{"auths":{{"{}":{{"auth":"{}"}}}}}})",
                                                 registry.host(), base64_encode("tester:secret")));
  PushClient client(options_for({registry.host()}, folder.path / "config.json"));
  client.blob(image, blob.descriptor, blob.content(), nullptr);
  CHECK(client.has_blob(image, blob.descriptor));
  CHECK(client.mount(image.with_repository("private/other"), blob.descriptor.digest,
                     "private/image"));
}

TEST_CASE("a killed push is resumed by the next run, without the chunks that arrived") {
  const DockerRegistry registry;
  const TransportOptions options = options_for({registry.host()});
  const Folder state;
  const auto image = Reference::parse(registry.host() + "/killed/image");
  Blob blob(56 * kMiB);
  const pid_t child = fork_run([&] {
    PushClient client(options, state.path);
    client.blob(image, blob.descriptor, blob.deadly(2 * kChunk), nullptr);
  });
  CHECK(wait_for(child) == 128 + SIGKILL);
  for (const auto& file : std::filesystem::directory_iterator(state.path)) {
    if (file.path().extension() != ".json") continue;
    CHECK((file.status().permissions() & std::filesystem::perms(0077)) ==
          std::filesystem::perms::none);
  }
  PushClient client(options, state.path);
  client.blob(image, blob.descriptor, blob.content(), blob.count());
  CHECK(blob.offsets == std::vector<std::uint64_t>{2 * kChunk});
  CHECK(blob.told == blob.bytes.size());
  CHECK(pulls(registry, "killed/image", blob.descriptor));
  CHECK(files_in(state.path) == 0);

  // As if that run had been killed after the registry had all of it.
  write(state.path / (sha256(image.name() + "/" + blob.descriptor.digest.str()).hex() + ".json"),
        R"({"location":"http://127.0.0.1/"})");
  CHECK(client.has_blob(image, blob.descriptor));
  CHECK(files_in(state.path) == 0);
}

TEST_CASE("killed in the middle of a chunk: docker-registry loses the upload, the push does not") {
  const DockerRegistry registry;
  const TransportOptions options = options_for({registry.host()});
  const Folder state;
  const auto image = Reference::parse(registry.host() + "/killed/image");
  Blob blob(40 * kMiB);
  const pid_t child = fork_run([&] {
    PushClient client(options, state.path);
    client.blob(image, blob.descriptor, blob.deadly(kChunk + 5 * kMiB), nullptr);
  });
  CHECK(wait_for(child) == 128 + SIGKILL);
  PushClient client(options, state.path);
  client.blob(image, blob.descriptor, blob.content(), nullptr);
  CHECK(blob.offsets.size() == 1);
  CHECK(pulls(registry, "killed/image", blob.descriptor));
}

TEST_CASE("a stale or broken state file is harmless") {
  const DockerRegistry registry;
  const TransportOptions options = options_for({registry.host()});
  const auto image = Reference::parse(registry.host() + "/stale/image");
  Blob blob(17 * kMiB);
  const std::string name = sha256(image.name() + "/" + blob.descriptor.digest.str()).hex();
  for (const std::string& text :
       {std::string("{"), std::string(R"({"location":"file:///etc/passwd"})"),
        fmt::format(R"({{"location":"http://127.0.0.1:{}/v2/x"}})", free_port()),
        fmt::format(R"({{"location":"{}/v2/stale/image/blobs/uploads/1?_state=x"}})",
                    registry.url())}) {
    const Folder state;
    write(state.path / (name + ".json"), text);
    PushClient client(options, state.path);
    client.blob(image, blob.descriptor, blob.content(), nullptr);
    CHECK(client.has_blob(image, blob.descriptor));
  }
}
