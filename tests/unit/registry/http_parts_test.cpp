#include <stdlib.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "core/error.hpp"
#include "registry/content_range.hpp"
#include "registry/http.hpp"
#include "registry/proxy.hpp"
#include "registry/retry.hpp"
#include "registry/url.hpp"

using namespace kbundle;
using std::chrono::seconds;

TEST_CASE("Content-Range is read strictly") {
  CHECK(ContentRange::parse("bytes 5-9/10") == ContentRange{5, 9, 10});
  CHECK(ContentRange::parse("Bytes 0-0/1") == ContentRange{0, 0, 1});
  CHECK(ContentRange::parse(" bytes 5-9/* ") == ContentRange{5, 9, std::nullopt});
  for (const char* bad : {"", "bytes", "bytes 5-9", "bytes */10", "bytes 9-5/10", "bytes 5-10/10",
                          "bytes 5-9/x", "bytes -5-9/10", "bytes 5-9/10x", "items 5-9/10",
                          "bytes 5-99999999999999999999/*", "bytes 5-+9/10", "bytes 5/9-10"})
    CHECK_FALSE(ContentRange::parse(bad));
  CHECK(parse_length("18446744073709551615") == 18446744073709551615ULL);
  CHECK_FALSE(parse_length("18446744073709551616"));
  CHECK_FALSE(parse_length(""));
  CHECK_FALSE(parse_length("-1"));
  CHECK_FALSE(parse_length("1 "));
}

TEST_CASE("Retry-After is seconds or a date") {
  const auto now = std::chrono::system_clock::from_time_t(784111777);  // 06 Nov 1994 08:49:37 GMT
  CHECK(parse_retry_after("7", now) == seconds(7));
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now) == seconds(10));
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now) == seconds(0));
  CHECK(parse_retry_after("999999999999999999999", now) > seconds(1000000));
  CHECK_FALSE(parse_retry_after("", now));
  CHECK_FALSE(parse_retry_after("soon", now));
  CHECK_FALSE(parse_retry_after("-1 x", now));
}

TEST_CASE("attempts are bounded, waits grow, progress starts the count anew") {
  using std::chrono::milliseconds;
  Retry retry(3, milliseconds(1));
  const Error error(ExitCode::network, "x");
  retry.failed(error);
  retry.failed(error);
  retry.progressed();
  retry.failed(error);
  retry.failed(error);
  CHECK_THROWS_AS(retry.failed(error), Error);

  Retry fewer(5, milliseconds(1));
  fewer.failed(error, std::nullopt, 2);
  CHECK_THROWS_AS(fewer.failed(error, std::nullopt, 2), Error);

  Retry floor(5, milliseconds(1));
  const auto start = std::chrono::steady_clock::now();
  floor.failed(error, seconds(1));
  CHECK(std::chrono::steady_clock::now() - start >= seconds(1));
  CHECK_THROWS_AS(floor.failed(error, seconds(3600)), Error);  // not waited for
}

TEST_CASE("URLs are shown without secrets") {
  const Url url = Url::parse("https://me:secret@Quay.io:443/v2/x?token=secret#y");
  CHECK(url.shown() == "https://quay.io/v2/x");
  CHECK(url.host() == "quay.io");
  CHECK(Url::parse("http://localhost:5000/").host() == "localhost:5000");
  CHECK(Url::parse("http://[::1]:5000/").host() == "[::1]:5000");
  CHECK(Url::parse("https://a.example/x").as_http().str() == "http://a.example/x");
  for (const char* bad : {"", "x", "ftp://a.example/", "file:///etc/passwd", "https://",
                          "https://a.example/\r\nX: y"})
    CHECK_THROWS_AS(Url::parse(bad), Error);
  try {
    Url::parse("gopher://me:secret@x/?secret");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.message().find("secret@") == std::string::npos);
  }
}

TEST_CASE("redirects are resolved") {
  const Url url = Url::parse("https://a.example/v2/x/blobs/y");
  CHECK(url.resolve("/z?q=1")->str() == "https://a.example/z?q=1");
  CHECK(url.resolve("z")->str() == "https://a.example/v2/x/blobs/z");
  CHECK(url.resolve("//b.example/z")->host() == "b.example");
  CHECK(url.resolve("https://u:p@b.example/z")->str() == "https://b.example/z");
  CHECK(url.resolve("https://a.example/z")->same_origin(url));
  CHECK(url.resolve("https://a.example:443/z")->same_origin(url));
  CHECK_FALSE(url.resolve("https://a.example:444/z")->same_origin(url));
  CHECK_FALSE(url.resolve("http://a.example/z")->same_origin(url));
  CHECK_FALSE(url.resolve("file:///etc/passwd"));
  CHECK_FALSE(url.resolve("javascript:x"));
}

TEST_CASE("error bodies are shown short and printable") {
  HttpResponse response;
  response.error_body = R"({"errors":[{"code":"DENIED","message":"no access"}]})";
  CHECK(response.reason() == "no access");
  response.error_body = std::string(1000, 'x');
  CHECK(response.reason().size() <= 200);
  response.error_body = std::string(1000, '\x1b');
  CHECK(response.reason().size() <= 200);
  CHECK(response.reason().find('\x1b') == std::string::npos);
  response.error_body = std::string(60000, '[');
  CHECK(response.reason().size() <= 200);
  response.error_body = "";
  CHECK(response.reason().empty());
}

TEST_CASE("the proxy is named without its password") {
  ::setenv("https_proxy", "http://me:secret@proxy.example:3128/", 1);
  ::setenv("no_proxy", "localhost,.internal.example", 1);
  const auto proxy = proxy_for(Url::parse("https://quay.io/x"));
  REQUIRE(proxy);
  CHECK(proxy->shown == "proxy.example:3128");
  CHECK(proxy->variable == "https_proxy");
  CHECK_FALSE(proxy_for(Url::parse("https://a.internal.example/x")));
  CHECK_FALSE(proxy_for(Url::parse("https://localhost:5000/x")));
  ::unsetenv("https_proxy");
  ::unsetenv("no_proxy");
}
