#include "registry/upload_target.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kMostErrors = 10;
constexpr std::size_t kLongestWord = 200;

std::string scope_of(const std::string& repository, const std::string& mounted_from) {
  std::string scope = fmt::format("repository:{}:pull,push", repository);
  if (!mounted_from.empty() && mounted_from != repository)
    scope += fmt::format(" repository:{}:pull", mounted_from);
  return scope;
}

// {"errors":[{"code":…,"message":…,"detail":…}]}; empty when the body is something else.
Json errors_in(const HttpResponse& response) {
  try {
    const Json document = parse_json(response.error_body, "error body",
                                     JsonLimits{.size = HttpClient::kErrorBodyLimit, .depth = 8});
    if (document.is_object() && document.contains("errors") && document["errors"].is_array())
      return document["errors"];
  } catch (const Error&) {
    // Not a registry's error.
  }
  return Json::array();
}

std::string word(const Json& error, const char* key) {
  if (!error.is_object() || !error.contains(key)) return {};
  const Json& value = error[key];
  const std::string text = value.is_string() ? value.get<std::string>()
                           : value.is_null() ? std::string()
                                             : value.dump(-1, ' ', true);
  return printable(text.substr(0, kLongestWord));
}

// The details of the errors that are about a blob: {"digest": …} (docker-registry) or the digest.
std::string subject(const Json& error) {
  if (error.is_object() && error.contains("detail") && error["detail"].is_object()) {
    for (const char* key : {"digest", "Digest"}) {
      if (const std::string digest = word(error["detail"], key); !digest.empty()) return digest;
    }
  }
  return word(error, "detail");
}

}  // namespace

UploadTarget::UploadTarget(HttpClient& http, Authenticator& authenticator,
                           const Reference& repository, const std::string& mounted_from)
    : http_(http),
      authenticator_(authenticator),
      host_(repository.host()),
      repository_(repository.repository()),
      scope_(scope_of(repository.repository(), mounted_from)),
      base_(Url::parse("https://" + api_host(repository.host()))) {
  if (http.is_plain(base_.host())) base_ = base_.as_http();
}

Url UploadTarget::url(const std::string& path) const {
  return Url::parse(
      fmt::format("{}://{}/v2/{}/{}", base_.scheme(), base_.host(), repository_, path));
}

Url UploadTarget::location(const HttpResponse& response) const {
  const auto header = response.headers.find("location");
  auto next = header ? response.url.resolve(*header) : std::nullopt;
  if (!next)
    throw Error(ExitCode::network,
                fmt::format("{}: the registry's answer ({}) does not say where to upload to",
                            response.url.shown(), response.status));
  if (base_.is_https() && !next->is_https() && next->host() == base_.host())
    next = Url::parse("https" + next->str().substr(std::string_view("http").size()));
  return *next;
}

HttpResponse UploadTarget::send(const std::function<HttpRequest()>& make) const {
  HttpRequest request = make();
  Url url = Url::parse(request.url);
  if (http_.is_plain(url.host())) url = url.as_http();
  if (!url.same_origin(base_)) return http_.send(request);
  const std::string first = authenticator_.known(host_, scope_);
  request.authorization = first;
  HttpResponse response = http_.send(request);
  if (response.failure || response.status != 401) return response;
  HttpRequest again = make();
  again.authorization = authenticator_.answer(host_, scope_, response, first);
  return http_.send(again);
}

void UploadTarget::failed(const HttpResponse& response, Retry& retry) const {
  if (response.failure) return retry.failed(*response.failure);
  handle_refusal(response, Remote{response.url.str(), host_, scope_, {}}, retry);
}

std::string refusal_words(const HttpResponse& response) {
  const Json errors = errors_in(response);
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(errors.size(), kMostErrors); ++i) {
    std::string part = word(errors[i], "code");
    if (const std::string message = word(errors[i], "message"); !message.empty())
      part += (part.empty() ? "" : ": ") + message;
    if (const std::string about = subject(errors[i]); !about.empty()) part += " (" + about + ")";
    if (!part.empty()) parts.push_back(part);
  }
  return parts.empty() ? response.reason() : join(parts, "; ");
}

bool has_error_code(const HttpResponse& response, std::string_view code) {
  const Json errors = errors_in(response);
  return std::any_of(errors.begin(), errors.end(),
                     [&](const Json& error) { return word(error, "code") == code; });
}

}  // namespace kbundle
