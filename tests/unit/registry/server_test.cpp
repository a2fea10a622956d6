// The server over sockets, with content in memory.
#include "registry/server.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "core/error.hpp"
#include "core/file.hpp"

using namespace kbundle;

namespace {

const Digest kManifest = sha256("{}");
constexpr std::uint64_t kBlobSize = 3'000'000;
constexpr std::uint64_t kBrokenFrom = 2'000'000;

char byte_at(std::uint64_t offset) {
  return static_cast<char>('a' + offset % 23);
}

// One repository, "repo", with a manifest and two blobs: a sound one, and one that breaks.
class MemoryContent final : public RegistryContent {
 public:
  const Digest sound = sha256("sound"), broken = sha256("broken");

  std::vector<std::string> repositories() const override { return {"repo"}; }
  std::optional<std::vector<std::string>> tags(std::string_view name) const override {
    if (name != "repo") return {};
    return std::vector<std::string>{"a", "b", "c"};
  }
  std::optional<Document> manifest(std::string_view, std::string_view reference) const override {
    if (reference != "a" && reference != kManifest.str()) return {};
    return Document{media_type::oci_manifest, kManifest, "{}"};
  }
  std::optional<std::uint64_t> blob_size(std::string_view name,
                                         const Digest& digest) const override {
    if (name != "repo" || (digest != sound && digest != broken)) return {};
    return kBlobSize;
  }
  std::unique_ptr<Source> open_blob(const Digest& digest, std::uint64_t offset,
                                    std::uint64_t size) const override {
    class Bytes final : public Source {
     public:
      Bytes(std::uint64_t offset, std::uint64_t size, std::uint64_t end)
          : at_(offset), left_(size), broken_from_(end) {}
      std::size_t read(std::span<std::byte> buffer) override {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>({buffer.size(), left_, 100'000}));
        if (at_ + count > broken_from_) throw Error(ExitCode::verification, "it does not hold");
        for (std::size_t i = 0; i < count; ++i)
          buffer[i] = static_cast<std::byte>(byte_at(at_ + i));
        at_ += count;
        left_ -= count;
        return count;
      }

     private:
      std::uint64_t at_, left_, broken_from_;
    };
    return std::make_unique<Bytes>(offset, size, digest == broken ? kBrokenFrom : kBlobSize);
  }
  std::vector<Descriptor> referrers(std::string_view, const Digest& digest) const override {
    if (digest != kManifest) return {};
    Descriptor one{media_type::oci_manifest, sha256("signature"), 9, {}, {{"k", "v"}}, "text/sig"};
    return {one};
  }
};

// Sends `request` and reads to the end of the connection.
std::string talk(const std::string& address, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const UniqueFd owner(fd);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  FdSink(fd, "the server").write(request);
  std::string answer;
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const auto count = read(fd, buffer.data(), buffer.size());
    if (count <= 0) return answer;
    answer.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::string get(const std::string& target, const std::string& headers = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + "\r\n";
}

std::string body_of(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Running {
  explicit Running(ServerOptions options = {}) : server(content, with_counts(std::move(options))) {
    thread = std::thread([this] { server.run(); });
  }
  ~Running() {
    server.stop();
    thread.join();
  }
  ServerOptions with_counts(ServerOptions options) {
    options.port = 0;
    options.threads = 2;
    options.on_request = [this](const auto& one) { bytes += one.bytes, ++requests; };
    options.on_damage = [this](const auto&, const Error&) { ++damages; };
    return options;
  }
  std::string ask(const std::string& request) { return talk(server.address(), request); }

  MemoryContent content;
  std::atomic<std::uint64_t> requests = 0, bytes = 0, damages = 0;
  RegistryServer server;
  std::thread thread;
};

}  // namespace

TEST_CASE("a registry answers over a connection") {
  Running run;
  CHECK(has(run.ask(get("/v2/")), "HTTP/1.1 200 OK\r\n"));
  CHECK(body_of(run.ask(get("/v2/repo/manifests/a"))) == "{}");
  const auto head = run.ask("HEAD /v2/repo/manifests/a HTTP/1.1\r\nConnection: close\r\n\r\n");
  CHECK(has(head, "Content-Length: 2\r\n"));
  CHECK(body_of(head).empty());
  CHECK(has(run.ask(get("/v2/repo/tags/list?n=2")), "</v2/repo/tags/list?last=b&n=2>; rel"));
  CHECK(body_of(run.ask(get("/v2/repo/tags/list?n=2&last=b"))) ==
        R"({"name":"repo","tags":["c"]})");

  const std::string blob = "/v2/repo/blobs/" + run.content.sound.str();
  const auto whole = body_of(run.ask(get(blob)));
  REQUIRE(whole.size() == kBlobSize);
  CHECK(whole[0] == byte_at(0));
  CHECK(whole[kBlobSize - 1] == byte_at(kBlobSize - 1));
  const auto part = run.ask(get(blob, "Range: bytes=2999000-\r\n"));
  CHECK(has(part, "206 Partial Content"));
  CHECK(body_of(part) == whole.substr(2'999'000));
  CHECK(has(run.ask(get(blob, "If-Range: \"other\"\r\nRange: bytes=0-1\r\n")), "200 OK"));
  const auto etag = '"' + run.content.sound.str() + '"';
  CHECK(has(run.ask(get(blob, "If-Range: " + etag + "\r\nRange: bytes=0-1\r\n")), "206 Partial"));
  CHECK(has(run.ask(get(blob, "If-None-Match: " + etag + "\r\n")), "304 Not Modified"));

  const std::string referrers = "/v2/repo/referrers/" + kManifest.str();
  CHECK(has(run.ask(get(referrers)), sha256("signature").str()));
  CHECK(
      has(run.ask(get(referrers + "?artifactType=text/sig")), "OCI-Filters-Applied: artifactType"));
  CHECK(has(run.ask(get(referrers + "?artifactType=text/other")), R"("manifests":[])"));
  CHECK(run.damages == 0);
}

TEST_CASE("several requests follow each other on a connection") {
  Running run;
  const std::string one = "GET /v2/repo/manifests/a HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto answers = run.ask(one + one + get("/v2/"));
  CHECK(has(answers.substr(answers.find("{}") + 2), "HTTP/1.1 200 OK"));
  CHECK(run.requests == 3);
}

TEST_CASE("content that does not hold is cut, and told") {
  Running run;
  const std::string blob = "/v2/repo/blobs/" + run.content.broken.str();
  const auto whole = run.ask(get(blob));
  CHECK(has(whole, "Content-Length: 3000000\r\n"));
  CHECK(body_of(whole).size() == kBrokenFrom);
  CHECK(run.damages == 1);
  CHECK(has(run.ask(get(blob, "Range: bytes=2500000-\r\n")), "500 Internal Server Error"));
  CHECK(run.damages == 2);
  CHECK(has(run.ask(get(blob, "Range: bytes=0-9\r\n")), "206 Partial Content"));
}

TEST_CASE("requests that are none, too long or would write") {
  Running run;
  CHECK(has(run.ask("nonsense\r\n\r\n"), "400 Bad Request"));
  CHECK(has(run.ask("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"),
            "HTTP/1.1 431"));
  CHECK(has(run.ask("GET " + std::string(20'000, '/') + " HTTP/1.1\r\n\r\n"), "HTTP/1.1 4"));
  const auto put = run.ask("PUT /v2/repo/manifests/a HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" +
                           std::string(100'000, 'x'));
  CHECK(has(put, "405 Method Not Allowed"));
  CHECK(has(put, "Allow: GET, HEAD"));
  CHECK(has(
      run.ask(
          "POST /v2/repo/blobs/uploads/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      "405 Method Not Allowed"));
  CHECK(run.ask("GET /v2/ HTTP/1.1\r\nContent-Length: x\r\n\r\n").find("HTTP/1.1 400") == 0);
}

TEST_CASE("an idle connection is ended") {
  ServerOptions options;
  options.idle_timeout = std::chrono::seconds(1);
  Running run(options);
  CHECK(run.ask("GET /v2/ HTTP/1.1\r\n").empty());
}

TEST_CASE("a stop ends a server that a client stays connected to") {
  auto run = std::make_unique<Running>();
  const std::string address = run->server.address();
  std::string answer;
  std::thread client([&] { answer = talk(address, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"); });
  while (run->requests == 0) std::this_thread::yield();
  run.reset();
  client.join();
  CHECK(has(answer, "200 OK"));
}

TEST_CASE("addresses and ports that cannot be had") {
  const MemoryContent content;
  const auto refusal = [&](const std::string& address, std::uint16_t port) {
    ServerOptions options;
    options.address = address;
    options.port = port;
    try {
      const RegistryServer server(content, options);
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::ok;
  };
  CHECK(refusal("localhost", 0) == ExitCode::usage);
  CHECK(refusal("192.0.2.1", 0) == ExitCode::usage);
  Running run;
  const auto address = run.server.address();
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1)));
  CHECK(refusal("127.0.0.1", port) == ExitCode::busy);
}
