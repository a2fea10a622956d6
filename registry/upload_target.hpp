// One repository that is written to: its addresses, and requests to it as the user.
#pragma once

#include <functional>
#include <string>

#include "registry/auth.hpp"
#include "registry/http.hpp"
#include "registry/reference.hpp"
#include "registry/transfer.hpp"
#include "registry/url.hpp"

namespace kbundle {

class UploadTarget {
 public:
  /// `mounted_from`: a repository of the same registry that is read in the same requests.
  UploadTarget(HttpClient& http, Authenticator& authenticator, const Reference& repository,
               const std::string& mounted_from = {});

  /// "https://HOST/v2/REPOSITORY/<path>"
  Url url(const std::string& path) const;
  /// Where a Location header of `response` leads. Behind a proxy that ends TLS registries give
  /// their own host with plain HTTP: that is taken for HTTPS. Error{network} when there is none.
  Url location(const HttpResponse& response) const;

  /// Sends, and again with new credentials after a 401: so the request is made anew, its body too.
  /// An address that the registry gave on another origin gets no credentials.
  HttpResponse send(const std::function<HttpRequest()>& make) const;

  /// Waits or throws for a broken exchange, or for an answer that is not 2xx.
  void failed(const HttpResponse& response, Retry& retry) const;

 private:
  HttpClient& http_;
  Authenticator& authenticator_;
  std::string host_, repository_, scope_;
  Url base_;
};

/// The registry's own words for a refusal: each error's code and message, and what it is about
/// ("MANIFEST_BLOB_UNKNOWN: blob unknown to registry (sha256:…)"). At most 10 errors; else the
/// response's reason.
std::string refusal_words(const HttpResponse& response);
/// Whether one of the errors in the answer has this code: "DIGEST_INVALID".
bool has_error_code(const HttpResponse& response, std::string_view code);

}  // namespace kbundle
