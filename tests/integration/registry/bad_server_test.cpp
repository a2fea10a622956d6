// What the client does when a server misbehaves. bad_registry.py does what a repository's name
// says.
#include <fmt/core.h>
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "core/text.hpp"
#include "servers.hpp"

using namespace kbundle;
using namespace kbundle::test;
using Catch::Contains;
using std::chrono::seconds;

namespace {

const std::string& content() {
  static const std::string bytes = pattern(3U << 20U);
  return bytes;
}

// One server, one store and one client for a test.
struct Setup {
  explicit Setup(const std::vector<std::string>& arguments = {})
      : server(content(), arguments),
        store(folder.path / "store"),
        client(options_for({server.host()}, folder.path)) {}

  bool pull(const std::string& repository) {
    return client.blob(Reference::parse(server.host() + "/" + repository), blob, store,
                       [this](std::uint64_t count) { told += count; });
  }
  Error error(const std::string& repository) {
    return error_of([&] { (void)pull(repository); });
  }
  void check_pulled() {
    CHECK(store.read(blob.digest) == content());
    CHECK(told == content().size());
  }
  std::vector<std::string> ranges() const {
    std::vector<std::string> result;
    for (const std::string& line : server.log()) result.push_back(split(line, '|').at(1));
    return result;
  }

  Folder folder;
  BadServer server;
  Descriptor blob = descriptor_of(content());
  BlobStore store;
  RegistryClient client;
  std::uint64_t told = 0;
};

}  // namespace

TEST_CASE("a short body is resumed with a closed range") {
  Setup setup;
  REQUIRE(setup.pull("short"));
  setup.check_pulled();
  CHECK(setup.ranges() ==
        std::vector<std::string>{
            "", fmt::format("bytes={}-{}", content().size() * 2 / 3, content().size() - 1)});
}

TEST_CASE("a partial of an earlier run is resumed") {
  Setup setup;
  {
    auto partial = setup.store.open_partial(setup.blob.digest);
    partial.append(std::as_bytes(std::span(content().data(), 1000)));
  }
  REQUIRE(setup.pull("good"));
  setup.check_pulled();
  CHECK(setup.ranges() ==
        std::vector<std::string>{fmt::format("bytes=1000-{}", content().size() - 1)});
}

TEST_CASE("a corrupted partial costs one clean retry") {
  Setup setup;
  {
    auto partial = setup.store.open_partial(setup.blob.digest);
    partial.append(std::as_bytes(std::span("rubbish", 7)));
  }
  REQUIRE(setup.pull("good"));
  setup.check_pulled();
  CHECK(setup.ranges().back().empty());
  CHECK(setup.ranges().size() == 2);
}

TEST_CASE("a partial that is longer than the blob is thrown away") {
  Setup setup;
  {
    auto partial = setup.store.open_partial(setup.blob.digest);
    const std::string longer = content() + content();
    partial.append(std::as_bytes(std::span(longer.data(), longer.size())));
  }
  REQUIRE(setup.pull("good"));
  setup.check_pulled();
  CHECK(setup.ranges() == std::vector<std::string>{""});
}

TEST_CASE("an ignored, refused or wrongly answered range starts over, never appends") {
  for (const char* repository :
       {"ignores-range", "refuses-range", "lies-about-range", "shifts-range"}) {
    INFO(repository);
    Setup setup;
    REQUIRE(setup.pull(repository));
    setup.check_pulled();
  }
}

TEST_CASE("attempts are bounded") {
  Setup setup;
  const Error error = setup.error("hopeless");
  CHECK(error.code() == ExitCode::network);
  CHECK(setup.server.log().size() <= 6);
}

TEST_CASE("500, 503 and 429 are tried again, Retry-After is a floor") {
  Setup setup;
  REQUIRE(setup.pull("flaky"));
  setup.check_pulled();

  Setup busy;
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(busy.pull("busy"));
  CHECK(std::chrono::steady_clock::now() - start >= seconds(2));
  busy.check_pulled();
}

TEST_CASE("a server that stays broken: exit 5, with a short printable reason") {
  Setup setup;
  const Error error = setup.error("broken");
  CHECK(error.code() == ExitCode::network);
  CHECK_THAT(error.message(), Contains("500") && Contains("oops"));
  CHECK(error.message().find('\x1b') == std::string::npos);
  CHECK(error.message().size() < 500);
  CHECK(setup.server.log().size() == 3);
}

TEST_CASE("an exhausted quota and a long Retry-After fail at once") {
  for (const char* repository : {"quota", "long-wait"}) {
    INFO(repository);
    Setup setup;
    const Error error = setup.error(repository);
    CHECK(error.code() == ExitCode::network);
    CHECK_THAT(error.hint(), Contains("docker login"));
    CHECK(setup.server.log().size() == 1);
  }
}

TEST_CASE("wrong bytes: thrown away, one clean retry, then exit 4") {
  Setup once;
  REQUIRE(once.pull("wrong-once"));
  once.check_pulled();

  for (const char* repository : {"wrong", "wrong-size", "endless"}) {
    INFO(repository);
    Setup setup;
    const Error error = setup.error(repository);
    CHECK(error.code() == ExitCode::verification);
    CHECK_THAT(error.hint(), Contains("--mirror"));
    CHECK(setup.server.log().size() == 2);
    CHECK_FALSE(setup.store.find(setup.blob.digest));
    CHECK(std::filesystem::is_empty(setup.folder.path / "store/partial"));
  }
}

TEST_CASE("a stalled transfer is cut and resumed") {
  Setup setup;
  REQUIRE(setup.pull("stalls"));
  setup.check_pulled();
}

TEST_CASE("redirects: followed, but Authorization stays with its origin") {
  const BadServer other(content());
  Setup setup({"--other", other.url()});
  write(setup.folder.path / "config.json", R"({"auths":{")" + setup.server.host() +
                                               R"(":{"auth":")" + base64_encode("tester:secret") +
                                               R"("}}})");
  RegistryClient client(options_for({setup.server.host(), other.host()}, setup.folder.path));
  REQUIRE(client.blob(Reference::parse(setup.server.host() + "/moves"), setup.blob, setup.store,
                      nullptr));
  CHECK(setup.store.read(setup.blob.digest) == content());
  CHECK_THAT(setup.server.log().back(), Contains("|Basic "));
  REQUIRE(other.log().size() == 1);
  CHECK(other.log()[0] ==
        fmt::format("/v2/good/blobs/{}?signature=hidden||", setup.blob.digest.str()));
}

TEST_CASE("a redirect loop ends") {
  Setup setup;
  const Error error = setup.error("loops");
  CHECK(error.code() == ExitCode::network);
  CHECK_THAT(error.message(), Contains("more than 10 redirects"));
  CHECK(setup.server.log().size() == 11);
}

TEST_CASE("bearer tokens are fetched once, sent, and renewed once when they expire") {
  Setup setup;
  REQUIRE(setup.pull("bearer"));
  setup.check_pulled();
  CHECK_THAT(setup.server.log()[1],
             Contains("service=bad") && Contains("scope=repository%3Abearer%3Apull"));
  setup.store.remove(setup.blob.digest);
  REQUIRE(setup.pull("bearer"));
  CHECK(setup.server.log().size() == 4);  // 401, token, blob; blob

  Setup expiring;
  REQUIRE(expiring.pull("expires"));
  expiring.store.remove(expiring.blob.digest);
  REQUIRE(expiring.pull("expires"));
  CHECK(expiring.server.log().size() == 6);  // 401, token, blob; 401, token, blob
}

TEST_CASE("a 401 after a token: exit 5 with the login command") {
  Setup setup;
  const Error error = setup.error("never");
  CHECK(error.code() == ExitCode::network);
  CHECK_THAT(error.message(), Contains("authentication required"));
  CHECK_THAT(error.hint(), Contains("docker login " + setup.server.host()));
  CHECK(setup.server.log().size() == 3);
}

TEST_CASE("an identity token is exchanged for an access token") {
  Setup setup;
  write(setup.folder.path / "config.json",
        R"({"auths":{")" + setup.server.host() + R"(":{"identitytoken":"re fresh"}}})");
  RegistryClient client(options_for({setup.server.host()}, setup.folder.path));
  REQUIRE(client.blob(Reference::parse(setup.server.host() + "/refresh"), setup.blob, setup.store,
                      nullptr));
  CHECK_THAT(setup.server.log()[1], Contains("refresh_token=re%20fresh"));
}

TEST_CASE("hostile realms and tokens are refused") {
  Setup setup;
  const Error realm = setup.error("hostile-realm");
  CHECK(realm.code() == ExitCode::network);
  CHECK_THAT(realm.message(), Contains("not https"));
  const Error giant = setup.error("giant-token");
  CHECK(giant.code() == ExitCode::network);
  CHECK_THAT(giant.message(), Contains("larger than"));
  CHECK(setup.error("evil-token").code() == ExitCode::network);
}

TEST_CASE("giant error bodies and headers are not collected") {
  Setup setup;
  const Error chatty = setup.error("chatty");
  CHECK(chatty.code() == ExitCode::network);
  CHECK(chatty.message().size() < 500);
  CHECK(setup.error("header-flood").code() == ExitCode::network);
}

TEST_CASE("what is not there is a value, not an error") {
  Setup setup;
  CHECK_FALSE(setup.pull("absent"));
  CHECK_FALSE(setup.client.manifest(Reference::parse(setup.server.host() + "/absent:x")));
  CHECK_FALSE(setup.client.file(setup.server.url() + "/v2/absent/x", 100));
  CHECK_FALSE(setup.client.download(setup.server.url() + "/v2/absent/x", setup.blob.digest,
                                    setup.store, nullptr, nullptr));
  CHECK_FALSE(
      setup.client.download_unknown(setup.server.url() + "/v2/absent/x", setup.store, nullptr));
  CHECK(std::filesystem::is_empty(setup.folder.path / "store/partial"));
}

TEST_CASE("files: limits, sizes, resume") {
  Setup setup;
  CHECK(setup.client.file(setup.server.url() + "/v2/good/x", 4U << 20U) == content());
  CHECK(error_of([&] { (void)setup.client.file(setup.server.url() + "/v2/good/x", 100); }).code() ==
        ExitCode::verification);

  {  // what an earlier run left; its size is asked for first
    auto partial = setup.store.open_partial(setup.blob.digest);
    partial.append(std::as_bytes(std::span(content().data(), 1000)));
  }
  std::uint64_t total = 0;
  std::uint64_t told = 0;
  REQUIRE(setup.client.download(
      setup.server.url() + "/v2/good/x", setup.blob.digest, setup.store,
      [&](std::uint64_t size) { total = size; }, [&](std::uint64_t count) { told += count; }));
  CHECK(setup.store.read(setup.blob.digest) == content());
  CHECK(total == content().size());
  CHECK(told == content().size());
  const auto ranges = setup.ranges();
  CHECK(ranges.at(ranges.size() - 2) == "bytes=0-0");
  CHECK(ranges.back() == fmt::format("bytes=1000-{}", content().size() - 1));
}

TEST_CASE("a file without a published sum is never mixed from two versions") {
  Setup setup;
  const auto found =
      setup.client.download_unknown(setup.server.url() + "/v2/changing/x", setup.store, nullptr);
  REQUIRE(found);
  CHECK(found->digest == setup.blob.digest);
  CHECK(found->size == content().size());
  CHECK(setup.store.read(found->digest) == content());
}

TEST_CASE("a manifest that is not what the server says it is: exit 4") {
  Setup setup;
  const Reference reference = Reference::parse(setup.server.host() + "/manifest-mismatch:x");
  CHECK(error_of([&] { (void)setup.client.manifest(reference); }).code() == ExitCode::verification);
  CHECK(setup.server.log().size() == 2);
}

TEST_CASE("plain HTTP has to be allowed") {
  Setup setup;
  RegistryClient strict(options_for({}));
  const Error error = error_of([&] { (void)strict.file(setup.server.url() + "/v2/good/x", 100); });
  CHECK(error.code() == ExitCode::usage);
  CHECK_THAT(error.hint(), Contains("--plain-http " + setup.server.host()));
}

TEST_CASE("unreachable hosts are named, and what is there is kept") {
  Setup setup;
  const std::string refused = fmt::format("127.0.0.1:{}", free_port());
  {
    auto partial = setup.store.open_partial(setup.blob.digest);
    partial.append(std::as_bytes(std::span(content().data(), 1000)));
  }
  RegistryClient client(options_for({refused}));
  const auto error_for = [&](const std::string& host) {
    return error_of([&] {
      (void)client.blob(Reference::parse(host + "/x"), setup.blob, setup.store, nullptr);
    });
  };
  const Error connection = error_for(refused);
  CHECK(connection.code() == ExitCode::network);
  CHECK_THAT(connection.message(), Contains(refused));
  const Error name = error_for("no-such-host.invalid");
  CHECK(name.code() == ExitCode::network);
  CHECK_THAT(name.message(), Contains("no-such-host.invalid"));
  CHECK(setup.store.open_partial(setup.blob.digest).offset() == 1000);
}

TEST_CASE("a proxy's refusal names the proxy, without its password") {
  Setup setup;
  RegistryClient client(options_for({"registry.invalid"}));
  ::setenv("http_proxy", ("http://me:pw@" + setup.server.host()).c_str(), 1);
  const Error error =
      error_of([&] { (void)client.file("http://registry.invalid/v2/good/x", 100); });
  ::unsetenv("http_proxy");
  CHECK(error.code() == ExitCode::network);
  CHECK_THAT(error.message(), Contains("proxy " + setup.server.host()) && Contains("407"));
  CHECK(error.message().find("pw@") == std::string::npos);
}
