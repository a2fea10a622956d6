#include "registry/http.hpp"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <mutex>
#include <set>

#include "core/interrupt.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "registry/certificates.hpp"
#include "registry/curl_handle.hpp"
#include "registry/host_addresses.hpp"
#include "registry/proxy.hpp"

namespace kbundle {
namespace {

// Slower than this for the whole stall timeout counts as stalled, so that a server that drips
// single bytes cannot hold a download for ever. Bytes a second.
constexpr long kSlowestSpeed = 64;
constexpr std::size_t kReasonLength = 200;
constexpr std::size_t kErrorJsonLimit = HttpClient::kErrorBodyLimit;

// What one transfer collects; the callbacks get it as their user pointer.
struct Exchange {
  const HttpRequest& request;
  HttpResponse& response;
  std::size_t header_bytes = 0;
  bool headers_done = false;
  bool error_body_full = false;
  std::exception_ptr thrown;  // an exception must not pass through libcurl
};

void take_status_line(std::string_view line, Exchange& exchange) {
  const std::size_t space = line.find(' ');
  exchange.response.status =
      space == std::string_view::npos ? 0 : std::strtol(line.data() + space, nullptr, 10);
  exchange.response.headers.clear();
  exchange.headers_done = false;
}

void take_header_line(std::string_view line, Exchange& exchange) {
  exchange.header_bytes += line.size();
  if (exchange.header_bytes > HttpClient::kHeaderLimit)
    throw Error(ExitCode::network,
                fmt::format("{}: more than {} of response headers", exchange.response.url.shown(),
                            human_size(HttpClient::kHeaderLimit)));
  if (line.starts_with("HTTP/")) return take_status_line(line, exchange);
  line = trim(line);
  if (line.empty()) {
    if (exchange.headers_done || exchange.response.status < 200) return;
    exchange.headers_done = true;
    if (exchange.response.ok() && exchange.request.on_response)
      exchange.request.on_response(exchange.response);
    return;
  }
  const std::size_t colon = line.find(':');
  if (exchange.headers_done || colon == std::string_view::npos) return;  // a trailer, or nonsense
  exchange.response.headers.add(std::string(trim(line.substr(0, colon))),
                                std::string(trim(line.substr(colon + 1))));
}

template <typename Step>
std::size_t guarded(std::size_t size, void* user, Step&& step) {
  auto& exchange = *static_cast<Exchange*>(user);
  try {
    return step(exchange) ? size : CURL_WRITEFUNC_ERROR;
  } catch (...) {
    exchange.thrown = std::current_exception();
    return CURL_WRITEFUNC_ERROR;
  }
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  return guarded(size, user, [&](Exchange& exchange) {
    take_header_line({data, size}, exchange);
    return true;
  });
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  return guarded(size, user, [&](Exchange& exchange) {
    HttpResponse& response = exchange.response;
    if (response.ok()) {
      if (exchange.request.on_body) exchange.request.on_body(std::as_bytes(std::span(data, size)));
      return true;
    }
    const std::size_t room = HttpClient::kErrorBodyLimit - response.error_body.size();
    response.error_body.append(data, std::min(size, room));
    exchange.error_body_full = size > room;
    return !exchange.error_body_full;
  });
}

std::size_t on_upload(char* data, std::size_t, std::size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  try {
    return exchange.request.body->read(std::as_writable_bytes(std::span(data, size)));
  } catch (...) {
    exchange.thrown = std::current_exception();
    return CURL_READFUNC_ABORT;
  }
}

int on_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return stop_requested() ? 1 : 0;
}

bool is_tls_problem(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return true;
    default:
      return false;
  }
}

// TLS 1.3 servers say what they have against a client's certificate after the handshake.
bool is_about_client_certificate(CURLcode code, std::string_view reason) {
  if (code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CLIENTCERT) return true;
  for (const char* alert :
       {"certificate required", "alert bad certificate", "alert unknown ca", "alert certificate"}) {
    if (reason.find(alert) != std::string_view::npos) return true;
  }
  return false;
}

// A handshake that was cut off, not one that was refused.
bool is_broken_handshake(CURLcode code, std::string_view reason) {
  return code == CURLE_SSL_CONNECT_ERROR &&
         (reason.find("reset") != std::string_view::npos ||
          reason.find("SSL_ERROR_SYSCALL") != std::string_view::npos);
}

[[noreturn]] void throw_tls_error(const Url& url, const std::string& reason) {
  std::string hint = "if its certificate is from a private CA, give that with --ca FILE";
  if (reason.find("expired") != std::string::npos ||
      reason.find("not yet valid") != std::string::npos)
    hint =
        "check this machine's clock (`date`); if it is right, the server needs a new certificate "
        "(or its CA's, with --ca FILE)";
  else if (reason.find("wrong version number") != std::string::npos ||
           reason.find("unknown protocol") != std::string::npos)
    hint = "the server does not speak TLS there; allow plain HTTP with --plain-http " + url.host();
  throw Error(ExitCode::network,
              fmt::format("{}: no trusted TLS connection: {}", url.shown(), reason), hint);
}

std::string by_proxy(const Url& url) {
  const auto proxy = proxy_for(url);
  return proxy ? fmt::format(" through the proxy {} (from ${})", proxy->shown, proxy->variable)
               : "";
}

[[noreturn]] void throw_proxy_error(const Url& url) {
  const auto proxy = proxy_for(url);
  throw Error(ExitCode::network,
              fmt::format("{}: the proxy {} wants credentials (407)", url.shown(),
                          proxy ? proxy->shown : "in between"),
              fmt::format("write them into ${} as http://USER:PASSWORD@HOST:PORT, or add {} to "
                          "$no_proxy",
                          proxy ? proxy->variable : "https_proxy", url.host()));
}

}  // namespace

void HttpHeaders::add(std::string name, std::string value) {
  entries_.emplace_back(to_lower(name), std::move(value));
}

std::optional<std::string> HttpHeaders::find(std::string_view name) const {
  for (const auto& [key, value] : entries_) {
    if (key == to_lower(name)) return value;
  }
  return std::nullopt;
}

std::vector<std::string> HttpHeaders::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : entries_) {
    if (key == to_lower(name)) values.push_back(value);
  }
  return values;
}

std::string HttpResponse::reason() const {
  std::string text = error_body;
  try {  // {"errors":[{"code":…,"message":…}]}
    const Json document =
        parse_json(error_body, "error body", JsonLimits{.size = kErrorJsonLimit, .depth = 8});
    text = document.at("errors").at(0).at("message").get<std::string>();
  } catch (const std::exception&) {
    // Not a registry's error: it is shown as it is.
  }
  std::string_view cut = trim(text);
  std::string shown;
  // What is not printable grows when it is made so.
  for (std::size_t length = kReasonLength; length > 0; length /= 2) {
    shown = printable(cut.substr(0, length));
    if (shown.size() <= kReasonLength) break;
  }
  return shown;
}

struct HttpClient::Impl {
  TransportOptions options;
  std::string certificates;  // PEM text when there is an extra CA
  std::string system_file;   // else the system's file
  CurlPool pool;
  std::mutex mutex;
  std::set<std::string> answered;  // hosts that did; guarded by mutex

  // A host that answered before will be back.
  void remember(HttpResponse& response) {
    const std::lock_guard guard(mutex);
    if (!response.failure)
      answered.insert(response.url.host());
    else if (answered.contains(response.url.host()))
      response.failure->reached = true;
  }
  HostAddresses addresses;  // for the static executable

  // What libcurl would ask glibc for, told beforehand. False when nobody knows the name.
  bool resolve(const Url& url, CurlHeaders& list) {
    if (!is_static_program()) return true;
    const auto proxy = proxy_for(url);
    const std::string host = proxy ? proxy->shown : url.host();
    const auto entry = addresses.for_curl(host, proxy ? 1080 : url.is_https() ? 443 : 80);
    if (!entry) return false;
    if (!entry->empty()) list.add(*entry);
    return true;
  }

  static HttpResponse::Failure unknown_name(const Url& url, const std::string& what) {
    return {Error(ExitCode::network,
                  fmt::format("cannot find the address of {}{}", what, by_proxy(url)),
                  "check the name and this machine's DNS (`getent hosts NAME`); what was "
                  "downloaded is kept"),
            false};
  }

  void configure(CURL* handle, Exchange& exchange, const Url& url, curl_slist* headers,
                 char* error_text) const {
    const auto set = [&](CURLoption option, auto value) {
      if (const CURLcode code = curl_easy_setopt(handle, option, value); code != CURLE_OK)
        throw Error(ExitCode::internal,
                    fmt::format("libcurl refuses option {}: {}", static_cast<int>(option),
                                curl_easy_strerror(code)));
    };
    set(CURLOPT_URL, url.str().c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_USERAGENT, fmt::format("kbundle/{}", kbundle_version()).c_str());
    set(CURLOPT_ERRORBUFFER, error_text);
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_timeout.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, kSlowestSpeed);
    const auto patience = std::max(options.stall_timeout, exchange.request.patience);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(patience.count()));
    set(CURLOPT_BUFFERSIZE, static_cast<long>(kCopyBufferSize));
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!certificates.empty()) {
      curl_blob blob{const_cast<char*>(certificates.data()), certificates.size(), CURL_BLOB_NOCOPY};
      set(CURLOPT_CAINFO_BLOB, &blob);
    } else if (!system_file.empty()) {
      set(CURLOPT_CAINFO, system_file.c_str());
    }
    if (!options.client_certificate.empty()) {
      const auto& key =
          options.client_key.empty() ? options.client_certificate : options.client_key;
      set(CURLOPT_SSLCERT, options.client_certificate.c_str());
      set(CURLOPT_SSLKEY, key.c_str());
    }
    const HttpRequest& request = exchange.request;
    if (request.form) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.form->size()));
      set(CURLOPT_POSTFIELDS, request.form->c_str());
    } else if (request.body) {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(kCopyBufferSize));
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body->size));
      set(CURLOPT_READFUNCTION, &on_upload);
      set(CURLOPT_READDATA, static_cast<void*>(&exchange));
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    } else if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET") {
      set(CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t{0});
      set(CURLOPT_POSTFIELDS, "");
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&exchange));
    set(CURLOPT_WRITEFUNCTION, &kbundle::on_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  }

  // The Failure for a transfer that broke off, or an Error thrown for one that will again.
  HttpResponse::Failure failure_of(CURL* handle, CURLcode code, const Url& url,
                                   const char* error_text) const {
    const std::string reason =
        printable(*error_text != '\0' ? error_text : curl_easy_strerror(code));
    long proxy_status = 0;
    curl_easy_getinfo(handle, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    if (proxy_status == 407) throw_proxy_error(url);
    curl_off_t connected = 0;
    curl_easy_getinfo(handle, CURLINFO_CONNECT_TIME_T, &connected);
    long sent = 0;  // on a connection that is used again, no time was spent on connecting
    curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &sent);
    const auto failure = [&](const std::string& message, const std::string& hint, bool reached) {
      return HttpResponse::Failure{Error(ExitCode::network, message, hint), reached};
    };

    if (is_broken_handshake(code, reason))
      return failure(fmt::format("{}{}: the connection broke off during the TLS handshake: {}",
                                 url.shown(), by_proxy(url), reason),
                     "if this network blocks the host, name a mirror: --mirror FROM=TO", true);
    if (is_about_client_certificate(code, reason))
      throw Error(
          ExitCode::network,
          fmt::format("{}: the server refuses this client's certificate: {}", url.shown(), reason),
          "give the one it wants: --client-cert FILE --client-key FILE");
    if (is_tls_problem(code)) throw_tls_error(url, reason);
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY)
      return unknown_name(
          url, code == CURLE_COULDNT_RESOLVE_HOST ? url.host() : "the proxy for " + url.host());
    if (code == CURLE_COULDNT_CONNECT ||
        (code == CURLE_OPERATION_TIMEDOUT && connected == 0 && sent == 0))
      return failure(fmt::format("cannot connect to {}{}: {}", url.host(), by_proxy(url), reason),
                     "check that the host is reachable, or name a mirror: --mirror FROM=TO", false);
    if (code == CURLE_OPERATION_TIMEDOUT)
      return failure(fmt::format("{}{}: stalled for {} s", url.shown(), by_proxy(url),
                                 options.stall_timeout.count()),
                     "run the same command again; it goes on where it stopped", true);
    return failure(fmt::format("{}{}: {}", url.shown(), by_proxy(url), reason),
                   "run the same command again; it goes on where it stopped", true);
  }

  HttpResponse exchange_once(const HttpRequest& request, const Url& url, bool authorised) {
    HttpResponse response;
    response.url = url;
    Exchange exchange{request, response, 0, false, false, nullptr};
    CurlHeaders headers;
    for (const std::string& line : request.headers) headers.add(line);
    if (authorised && !request.authorization.empty()) {
      headers.add("Authorization: " + request.authorization);
      response.password_sent = request.authorization.starts_with("Basic ");
    }
    headers.add("Expect:");  // no waiting for 100-continue

    CurlHeaders known_addresses;
    if (!resolve(url, known_addresses)) {
      response.failure = unknown_name(url, url.host());
      return response;
    }
    std::array<char, CURL_ERROR_SIZE> error_text{};
    CurlHandle handle = pool.take();
    curl_easy_setopt(handle.get(), CURLOPT_RESOLVE, known_addresses.get());
    configure(handle.get(), exchange, url, headers.get(), error_text.data());
    const CURLcode code = curl_easy_perform(handle.get());
    if (exchange.thrown) std::rethrow_exception(exchange.thrown);
    if (code == CURLE_ABORTED_BY_CALLBACK) throw_if_interrupted();
    if (code != CURLE_OK && !exchange.error_body_full)
      response.failure = failure_of(handle.get(), code, url, error_text.data());
    if (response.status == 407) throw_proxy_error(url);
    // After a failure the handle's state is not worth trusting (libcurl 7.88 refuses options on
    // it).
    if (code == CURLE_OK) pool.give(std::move(handle));
    return response;
  }
};

HttpClient::HttpClient(const TransportOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
  auto& plain = impl_->options.plain_http;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    plain[i] = to_lower(plain[i]);
    // A URL's own port is dropped, so the host is known by both names.
    if (plain[i].ends_with(":80")) plain.push_back(plain[i].substr(0, plain[i].size() - 3));
  }
  if (!options.ca_file.empty())
    impl_->certificates = certificates_with(options.ca_file);
  else
    impl_->system_file = system_certificates().string();
}

HttpClient::~HttpClient() = default;

bool HttpClient::is_plain(std::string_view host) const {
  const auto& hosts = impl_->options.plain_http;
  return std::find(hosts.begin(), hosts.end(), to_lower(host)) != hosts.end();
}

HttpResponse HttpClient::send(const HttpRequest& request) {
  Url url = Url::parse(request.url);
  const bool plain = is_plain(url.host());
  if (plain) url = url.as_http();
  if (!url.is_https() && !plain)
    throw Error(ExitCode::usage, url.shown() + " would be fetched over plain HTTP",
                "use https://, or allow it with --plain-http " + url.host());
  const Url first = url;
  bool authorised = true;
  for (int redirects = 0;; ++redirects) {
    HttpResponse response = impl_->exchange_once(request, url, authorised);
    impl_->remember(response);
    const bool redirected = response.status == 301 || response.status == 302 ||
                            response.status == 303 || response.status == 307 ||
                            response.status == 308;
    const bool repeatable = !request.form && (request.method == "GET" || request.method == "HEAD");
    if (!redirected || response.failure || !repeatable) return response;
    if (redirects == kMostRedirects)
      throw Error(ExitCode::network,
                  fmt::format("{}: more than {} redirects", first.shown(), kMostRedirects));
    const auto location = response.headers.find("location");
    const auto next = location ? url.resolve(*location) : std::nullopt;
    if (!next)
      throw Error(ExitCode::network, fmt::format("{}: a redirect ({}) that leads nowhere",
                                                 url.shown(), response.status));
    // Plain HTTP is for the hosts that were named, not for whomever they point at.
    if (!next->is_https() && (url.is_https() || !is_plain(next->host())))
      throw Error(ExitCode::network, fmt::format("{}: refused its redirect to plain HTTP ({})",
                                                 url.shown(), next->shown()));
    // Once gone it stays gone, even if the chain leads back.
    authorised = authorised && next->same_origin(first);
    url = *next;
  }
}

}  // namespace kbundle
