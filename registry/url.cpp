#include "registry/url.hpp"

#include <curl/curl.h>
#include <fmt/core.h>

#include <memory>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kLongestUrl = 8192;

struct FreeUrl {
  void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
};
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;

std::string part(CURLU* handle, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle, which, &text, flags) != CURLUE_OK) return {};
  std::string result = text;
  curl_free(text);
  return result;
}

bool is_visible(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return false;
  }
  return true;
}

}  // namespace

Url Url::parse(std::string_view text) {
  const UrlHandle handle(curl_url());
  Url url;
  if (text.size() <= kLongestUrl && is_visible(text) &&
      curl_url_set(handle.get(), CURLUPART_URL, std::string(text).c_str(), 0) == CURLUE_OK) {
    url.scheme_ = part(handle.get(), CURLUPART_SCHEME);
    url.host_ = to_lower(part(handle.get(), CURLUPART_HOST));
    url.path_ = part(handle.get(), CURLUPART_PATH);
    url.text_ = part(handle.get(), CURLUPART_URL);
    if (const std::string port = part(handle.get(), CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
        !port.empty())
      url.host_ += ":" + port;
  }
  if (url.host_.empty() || (url.scheme_ != "https" && url.scheme_ != "http")) {
    const std::string_view bare = text.substr(0, text.find_first_of("?#@"));
    throw Error(ExitCode::usage,
                fmt::format("\"{}\" is not an http or https URL", printable(bare.substr(0, 200))));
  }
  return url;
}

Url Url::as_http() const {
  return is_https() ? parse("http" + text_.substr(std::string_view("https").size())) : *this;
}

std::optional<Url> Url::resolve(std::string_view location) const {
  if (location.size() > kLongestUrl || !is_visible(location)) return std::nullopt;
  const UrlHandle handle(curl_url());
  // Setting a relative URL over an absolute one resolves it.
  if (curl_url_set(handle.get(), CURLUPART_URL, text_.c_str(), 0) != CURLUE_OK ||
      curl_url_set(handle.get(), CURLUPART_URL, std::string(location).c_str(), 0) != CURLUE_OK)
    return std::nullopt;
  curl_url_set(handle.get(), CURLUPART_USER, nullptr, 0);
  curl_url_set(handle.get(), CURLUPART_PASSWORD, nullptr, 0);
  try {
    return parse(part(handle.get(), CURLUPART_URL));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string Url::shown() const {
  return scheme_ + "://" + printable(host_ + path_);
}

std::string url_escape(std::string_view text) {
  if (text.empty()) return {};  // curl_easy_escape() takes a length of 0 for "up to the NUL"
  char* escaped = curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
  if (escaped == nullptr) throw Error(ExitCode::internal, "cannot escape a URL");
  std::string result = escaped;
  curl_free(escaped);
  return result;
}

}  // namespace kbundle
