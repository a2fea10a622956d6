// Getting bytes from one place: authorised, retried, resumed. client.cpp knows the protocol's
// paths; this knows how a transfer goes wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "registry/auth.hpp"
#include "registry/blob_store.hpp"
#include "registry/host_gate.hpp"
#include "registry/http.hpp"
#include "registry/retry.hpp"

namespace kbundle {

/// What is fetched, from where, and as whom.
struct Remote {
  std::string url;
  std::string host;                  ///< whose credentials; empty: none (files)
  std::string scope;                 ///< "repository:coredns:pull"
  std::vector<std::string> headers;  ///< "Accept: …"
  /// 400, 405 and 406 mean "not there" too: a registry may not know this part of the protocol.
  bool optional_part = false;
};

/// A document in one piece.
struct Document {
  std::string bytes;
  HttpHeaders headers;
};

struct DownloadPlan {
  std::optional<std::uint64_t> size;  ///< bytes, when it is known beforehand
  /// The digest is not known, so an attempt may only be resumed when the server says that the
  /// content is unchanged (If-Range).
  bool unverified = false;
  std::function<void(std::uint64_t total)> on_total;  ///< when the server tells the size
  std::function<void(std::uint64_t)> on_bytes;        ///< each byte once, resumed ones included
};

class Transfer {
 public:
  Transfer(HttpClient& http, Authenticator& authenticator, const TransportOptions& options)
      : http_(http),
        authenticator_(authenticator),
        attempts_(options.attempts),
        gate_(options.per_host) {}

  /// nullopt on 404. More than `limit` bytes is Error{verification}.
  std::optional<Document> document(const Remote& remote, std::uint64_t limit);

  /// Fills the partial until its content is complete; false on 404. The caller commits.
  /// Error{verification} when the content is longer than planned.
  bool fill(const Remote& remote, BlobStore::Partial& partial, const DownloadPlan& plan);

  /// fill() and commit(); wrong bytes are thrown away and fetched once more from the start.
  bool fill_verified(const Remote& remote, BlobStore::Partial& partial, const DownloadPlan& plan);

  /// One request with what authorisation it takes.
  HttpResponse send(HttpRequest request, const Remote& remote);

 private:
  /// send() of a blob's request, as one of the transfers that its host bears at once.
  HttpResponse send_gated(HttpRequest request, const Remote& remote);
  bool fill(const Remote& remote, BlobStore::Partial& partial, const DownloadPlan& plan,
            std::uint64_t& told);

  HttpClient& http_;
  Authenticator& authenticator_;
  int attempts_;
  HostGate gate_;
};

/// Bytes of a manifest or index, as registries limit them too.
inline constexpr std::uint64_t kLargestManifest = 4U << 20U;
/// The Accept header of a request for one.
std::string accept_manifests();

/// Throws, or waits until the next attempt, for an answer that is neither 2xx nor 404.
void handle_refusal(const HttpResponse& response, const Remote& remote, Retry& retry);

}  // namespace kbundle
