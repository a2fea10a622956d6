// Pushes into a registry that misbehaves in ways that docker-registry does not.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/text.hpp"
#include "registry/push_client.hpp"
#include "servers.hpp"

using namespace kbundle;
using namespace kbundle::test;
using Catch::Contains;

namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

// upload_registry.py and a blob of three chunks for it.
struct UploadRegistry {
  UploadRegistry() {
    child = std::make_unique<Child>(std::vector<std::string>{"python3", KBUNDLE_UPLOAD_REGISTRY},
                                    &ports);
    host = "127.0.0.1:" + split(ports, ' ').at(0);
    other = "127.0.0.1:" + split(ports, ' ').at(1);
  }
  TransportOptions options() const { return options_for({host, other}); }
  Reference repository(const std::string& mode) const {
    return Reference::parse(host + "/" + mode + "/x");
  }
  void push(const std::string& mode, const std::filesystem::path& state = {}) {
    PushClient client(options(), state);
    client.blob(
        repository(mode), blob,
        [&](std::uint64_t offset) {
          offsets.push_back(offset);
          return std::make_unique<StringSource>(content.substr(offset));
        },
        [&](std::uint64_t bytes) { told += bytes; });
  }
  // The log's lines of one method: {path, Content-Range, bytes, Authorization}.
  std::vector<std::vector<std::string>> requests(const std::string& method) const {
    RegistryClient client(options());
    std::vector<std::vector<std::string>> found;
    for (const std::string& line : split(*client.file("http://" + host + "/log", 1U << 20U), '\n'))
      if (line.starts_with(method + " ")) found.push_back(split(line, '|'));
    return found;
  }
  std::uint64_t received() const {
    std::uint64_t bytes = 0;
    for (const char* method : {"PATCH", "PUT"})
      for (const auto& request : requests(method)) bytes += std::stoull(request.at(2));
    return bytes;
  }

  std::string ports, host, other;
  std::unique_ptr<Child> child;
  std::string content = pattern(40 * kMiB);
  Descriptor blob = descriptor_of(content);
  std::vector<std::uint64_t> offsets;
  std::uint64_t told = 0;
};

}  // namespace

TEST_CASE("a chunk that breaks off is continued where the registry stands") {
  UploadRegistry registry;
  registry.push("cut");
  CHECK(registry.told == registry.content.size());
  // Nothing arrived twice.
  CHECK(registry.received() == registry.content.size());
  CHECK(registry.offsets == std::vector<std::uint64_t>{0, 24 * kMiB});
}

TEST_CASE("killed in the middle of a chunk: the next run goes on at that byte") {
  UploadRegistry registry;
  const Folder state;
  const pid_t child = fork_run([&] {
    class Deadly final : public Source {
     public:
      explicit Deadly(const std::string& text) : source_(text) {}
      std::size_t read(std::span<std::byte> buffer) override {
        if (given_ > 20 * kMiB) {
          ::usleep(300'000);
          ::kill(::getpid(), SIGKILL);
        }
        const std::size_t count = source_.read(buffer);
        given_ += count;
        return count;
      }

     private:
      StringSource source_;
      std::uint64_t given_ = 0;
    };
    PushClient client(registry.options(), state.path);
    client.blob(
        registry.repository("good"), registry.blob,
        [&](std::uint64_t) { return std::make_unique<Deadly>(registry.content); }, nullptr);
  });
  CHECK(wait_for(child) == 128 + SIGKILL);
  // Until the registry has noticed.
  for (int i = 0; i < 100 && registry.requests("PATCH").size() < 2; ++i) ::usleep(50'000);
  registry.push("good", state.path);
  REQUIRE(registry.offsets.size() == 1);
  CHECK(registry.offsets[0] > 19 * kMiB);
  CHECK(registry.received() == registry.content.size());
}

TEST_CASE("a token that runs out during an upload is renewed, the chunk sent again") {
  UploadRegistry registry;
  registry.push("expire");
  CHECK(registry.requests("GET").size() >= 2);  // two tokens
  CHECK(registry.received() == registry.content.size());
  CHECK(registry.requests("PUT").back().at(3) == "Bearer t2");
}

TEST_CASE("a mount asks for both repositories, a scope parameter each") {
  UploadRegistry registry;
  PushClient client(registry.options());
  CHECK_FALSE(client.mount(registry.repository("expire"), registry.blob.digest, "good/y"));
  CHECK_THAT(registry.requests("GET").at(0).at(0),
             Contains("&scope=repository%3Aexpire%2Fx%3Apull%2Cpush"
                      "&scope=repository%3Agood%2Fy%3Apull"));
}

TEST_CASE("a registry without chunks gets the blob in one piece") {
  UploadRegistry registry;
  registry.push("no-chunks");
  CHECK(registry.requests("PATCH").size() == 1);
  CHECK(registry.requests("PUT").back().at(2) == std::to_string(registry.content.size()));
}

TEST_CASE("chunks shrink to what a proxy lets through, and grow to what a registry wants") {
  UploadRegistry registry;
  SECTION("413") {
    registry.push("limited");
    CHECK(registry.received() == registry.content.size());
  }
  SECTION("OCI-Chunk-Min-Length") {
    registry.push("least");
    const auto chunks = registry.requests("PATCH");
    REQUIRE(chunks.size() == 2);
    CHECK(chunks[0].at(1) == "0-25165823");
  }
}

TEST_CASE("503 and 429 are waited for") {
  UploadRegistry registry;
  registry.push("busy");
  CHECK(registry.received() == registry.content.size());
}

TEST_CASE("an upload that the registry forgot is started over once") {
  UploadRegistry registry;
  SECTION("once") {
    registry.push("lost");
    CHECK(registry.told == registry.content.size());
  }
  SECTION("for ever") {
    const Error error = error_of([&] { registry.push("gone"); });
    CHECK(error.code() == ExitCode::network);
    CHECK_THAT(error.message(), Contains("BLOB_UPLOAD_UNKNOWN"));
    CHECK(registry.requests("POST").size() == 2);
  }
}

TEST_CASE("a blob that was stored although the answer got lost is not sent again") {
  UploadRegistry registry;
  registry.push("silent");
  CHECK(registry.received() == registry.content.size());
  CHECK(registry.requests("POST").size() == 1);
}

TEST_CASE("uploads on another origin get no credentials") {
  UploadRegistry registry;
  registry.push("elsewhere");
  CHECK(registry.requests("POST").back().at(3) == "Bearer t1");
  CHECK(registry.requests("PATCH").size() == 3);
  for (const auto& request : registry.requests("PATCH")) CHECK(request.at(3).empty());
}

TEST_CASE("another digest at the registry: once more from the start, then exit 4") {
  UploadRegistry registry;
  const Error error = error_of([&] { registry.push("wrong"); });
  CHECK(error.code() == ExitCode::verification);
  CHECK(registry.requests("POST").size() == 2);
}
