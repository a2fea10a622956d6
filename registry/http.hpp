// One HTTP exchange with libcurl: limits on headers and error bodies, redirects followed here so
// that credentials never leave their origin, stalls and stop requests noticed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "registry/client.hpp"
#include "registry/url.hpp"

namespace kbundle {

/// Response headers; names are compared without regard to case.
class HttpHeaders {
 public:
  void add(std::string name, std::string value);
  void clear() { entries_.clear(); }
  std::optional<std::string> find(std::string_view name) const;  ///< the first of that name
  std::vector<std::string> all(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

struct HttpResponse {
  long status = 0;
  HttpHeaders headers;
  Url url;                 ///< where the answer came from, after redirects
  std::string error_body;  ///< of an answer that is not 2xx, at most 64 KiB
  bool password_sent = false;

  /// The exchange broke off in a way that may not happen again.
  struct Failure {
    Error error;           ///< ExitCode::network
    bool reached = false;  ///< a connection was made, or has been to this host before
  };
  std::optional<Failure> failure;

  bool ok() const { return status >= 200 && status < 300; }
  /// The first 200 printable characters of the error body; a registry's own message if it has one.
  std::string reason() const;
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  ///< "Name: value"
  /// Value of the Authorization header; sent to the URL's own origin only.
  std::string authorization;
  std::string method = "GET";       ///< GET, HEAD, POST, PATCH or PUT
  std::optional<std::string> form;  ///< POST with this form
  /// What POST, PATCH and PUT carry; a request without one sends a length of 0. It is read once: an
  /// answer that asks for the body again (a redirect) is handed back as it is.
  struct Body {
    std::uint64_t size = 0;                                 ///< bytes, exactly
    std::function<std::size_t(std::span<std::byte>)> read;  ///< 0 only at the end
  };
  std::optional<Body> body;
  /// How long it may take without a byte, if that is longer than TransportOptions' stall_timeout: a
  /// registry that stores a blob says nothing meanwhile.
  std::chrono::seconds patience{0};
  /// Told the status and headers of a 2xx answer before its body comes.
  std::function<void(const HttpResponse&)> on_response;
  /// Told the body of a 2xx answer piece by piece.
  std::function<void(std::span<const std::byte>)> on_body;
};

/// Thread-safe; keeps connections. GET and HEAD follow redirects, the others do not.
class HttpClient {
 public:
  static constexpr std::size_t kHeaderLimit = 64 * 1024;
  static constexpr std::size_t kErrorBodyLimit = 64 * 1024;
  static constexpr int kMostRedirects = 10;

  explicit HttpClient(const TransportOptions& options);
  ~HttpClient();

  /// Any status is a value. What cannot be mended by trying again (TLS, proxy credentials, a
  /// refused redirect) is thrown as Error{network}, as is whatever the callbacks throw.
  HttpResponse send(const HttpRequest& request);

  /// Whether plain HTTP was allowed for this host ("localhost:5000").
  bool is_plain(std::string_view host) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kbundle
