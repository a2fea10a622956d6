// A URL on the first line, and a Location header that leads on from it behind that.
#include "core/text.hpp"
#include "fuzz.hpp"
#include "registry/url.hpp"

using namespace kbundle;

namespace {

void check(const Url& url) {
  fuzz::expect(url.scheme() == "https" || url.scheme() == "http", "it is http or https");
  fuzz::expect(!url.host().empty() && url.host().find_first_of("@/?# ") == std::string::npos,
               "a host is only a host");
  const auto again = Url::parse(url.str());
  fuzz::expect(again.str() == url.str() && again.same_origin(url), "what it says it is, it is");
  fuzz::expect(url.shown().find_first_of("?#\r\n") == std::string::npos,
               "no query, fragment or line break is shown");
  fuzz::expect(url.shown().starts_with(url.scheme() + "://" + printable(url.host())),
               "what is shown begins with the host");
  const auto plain = url.as_http();
  fuzz::expect(!plain.is_https() && plain.host().starts_with(url.host().substr(0, 1)),
               "as_http() is plain");
}

// Between "://" and the next "/", "?" or "#".
std::string authority(const std::string& url) {
  const auto start = url.find("://") + 3;
  return url.substr(start, url.find_first_of("/?#", start) - start);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text(data, size);
  const auto line = fuzz::take_line(rest);
  fuzz::accepts(
      [&] {
        const auto url = Url::parse(line);
        check(url);
        if (const auto next = url.resolve(rest)) {
          check(*next);
          fuzz::expect(authority(next->str()).find('@') == std::string::npos,
                       "a redirect brings no user information");
        }
      },
      ExitCode::usage);
  for (const char c : url_escape(rest)) {
    fuzz::expect(std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                     std::string_view("-._~%").find(c) != std::string_view::npos,
                 "an escaped text is safe in a query");
  }
  return 0;
}
