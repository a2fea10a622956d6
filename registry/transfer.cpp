#include "registry/transfer.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "core/text.hpp"
#include "registry/content_range.hpp"
#include "registry/types.hpp"

namespace kbundle {
namespace {

// A transfer that went on for so long since its last failure counts as working.
constexpr std::uint64_t kProgress = 1U << 20U;

bool may_pass(long status) {
  return status == 408 || status == 429 || status >= 500;
}

// One fill(): what is known about the content, and what the answers' callbacks do with it.
class Filling {
 public:
  // `told` is how many bytes on_bytes already heard of.
  Filling(const Remote& remote, BlobStore::Partial& partial, const DownloadPlan& plan,
          std::uint64_t& told)
      : remote_(remote), partial_(partial), plan_(plan), told_(told), total_(plan.size) {
    if (plan.unverified) partial_.restart();  // of an earlier run: nothing says it is the same
    if (total_ && partial_.offset() > *total_) partial_.restart();
  }

  // The request for what is missing.
  HttpRequest next_request() {
    if (whole_) partial_.restart();
    from_ = partial_.offset();
    range_problem_.clear();
    HttpRequest request;
    request.url = remote_.url;
    request.headers = remote_.headers;
    if (from_ > 0) {
      // The range is closed, so the size has to be known; else one byte is asked for to learn it.
      probing_ = !total_;
      last_ = probing_ ? 0 : *total_ - 1;
      request.headers.push_back(fmt::format("Range: bytes={}-{}", probing_ ? 0 : from_, last_));
      if (plan_.unverified) request.headers.push_back("If-Range: " + validator_);
    } else {
      probing_ = false;
    }
    request.on_response = [this](const HttpResponse& response) { begin(response); };
    request.on_body = [this](std::span<const std::byte> bytes) { take(bytes); };
    return request;
  }

  bool complete() const { return total_ && partial_.offset() == *total_; }
  bool probed() const { return probing_ && total_; }
  std::optional<std::uint64_t> total() const { return total_; }
  const std::string& range_problem() const { return range_problem_; }

  // The next request asks for everything.
  void start_over() { whole_ = true; }

  void report() {
    // Bytes that come again after a restart are not told again.
    if (partial_.offset() <= told_) return;
    if (plan_.on_bytes) plan_.on_bytes(partial_.offset() - told_);
    told_ = partial_.offset();
  }

  // Whether it went on well beyond where it ever was at a failure.
  bool progressed() {
    if (partial_.offset() < failed_at_ + kProgress) return false;
    failed_at_ = partial_.offset();
    return true;
  }

  void check_resumable() {
    // Without a strong validator nobody can tell whether the rest belongs to what is here.
    if (plan_.unverified && validator_.empty()) whole_ = true;
  }

 private:
  void begin(const HttpResponse& response) {
    if (response.status == 206 && from_ > 0) return begin_range(response);
    if (response.status != 200)
      throw Error(ExitCode::network,
                  fmt::format("{}: unexpected status {}", response.url.shown(), response.status));
    // The range was ignored: everything comes, so what is here is thrown away, never appended to.
    whole_ = false;
    probing_ = false;
    partial_.restart();
    const auto length = parse_length(response.headers.find("content-length").value_or(""));
    if (plan_.size && length && *length != *plan_.size)
      throw Error(ExitCode::verification, fmt::format("{}: {} bytes were wanted, the server has {}",
                                                      response.url.shown(), *plan_.size, *length));
    if (!plan_.size) learn_total(length);
    validator_ = validator_of(response.headers);
  }

  void begin_range(const HttpResponse& response) {
    const std::string text = response.headers.find("content-range").value_or("");
    const auto range = ContentRange::parse(text);
    const std::uint64_t first = probing_ ? 0 : from_;
    if (!range || range->first != first || range->last > last_ ||
        (total_ && range->total && *range->total != *total_) || (probing_ && !range->total)) {
      range_problem_ =
          fmt::format("{}: bytes {}-{} were asked for, the answer is for \"{}\"",
                      response.url.shown(), first, last_, printable(text.substr(0, 100)));
      throw Error(ExitCode::network, range_problem_);
    }
    if (probing_) {
      learn_total(range->total);
      if (partial_.offset() > *total_) partial_.restart();
    }
  }

  void learn_total(std::optional<std::uint64_t> total) {
    total_ = total;
    if (total && plan_.on_total) plan_.on_total(*total);
  }

  void take(std::span<const std::byte> bytes) {
    if (probing_) return;
    if (total_ && bytes.size() > *total_ - partial_.offset())
      throw Error(ExitCode::verification, fmt::format("{}: more than the wanted {} bytes come",
                                                      Url::parse(remote_.url).shown(), *total_));
    partial_.append(bytes);
    report();
  }

  // Only a strong ETag may go into If-Range; a date is good enough for release files.
  static std::string validator_of(const HttpHeaders& headers) {
    const std::string tag = headers.find("etag").value_or("");
    if (tag.starts_with('"')) return tag;
    return headers.find("last-modified").value_or("");
  }

  const Remote& remote_;
  BlobStore::Partial& partial_;
  const DownloadPlan& plan_;
  std::uint64_t& told_;
  std::optional<std::uint64_t> total_;
  std::string validator_;
  std::string range_problem_;
  std::uint64_t from_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t failed_at_ = 0;
  bool whole_ = false;
  bool probing_ = false;
};

Error status_error(const HttpResponse& response) {
  const std::string reason = response.reason();
  return Error(ExitCode::network, fmt::format("{}: status {}{}{}", response.url.shown(),
                                              response.status, reason.empty() ? "" : ": ", reason));
}

}  // namespace

std::string accept_manifests() {
  return fmt::format("Accept: {}, {}, {}, {}", media_type::oci_index, media_type::docker_list,
                     media_type::oci_manifest, media_type::docker_manifest);
}

void handle_refusal(const HttpResponse& response, const Remote& remote, Retry& retry) {
  Error error = status_error(response);
  if (!may_pass(response.status)) {
    if ((response.status == 401 || response.status == 403) && !remote.host.empty())
      throw access_error(remote.host, response.url.shown(), response);
    throw error;
  }
  if (response.status == 429) {
    error.set_hint("log in for a higher limit (docker login " +
                   (remote.host.empty() ? response.url.host() : remote.host) +
                   "), wait, or name a mirror: --mirror FROM=TO");
    // Docker Hub's quota is counted in hours: waiting seconds only uses it up further.
    if (response.error_body.find("pull rate limit") != std::string::npos) throw error;
  }
  retry.failed(error, parse_retry_after(response.headers.find("retry-after").value_or("")));
}

HttpResponse Transfer::send(HttpRequest request, const Remote& remote) {
  if (remote.host.empty()) return http_.send(request);
  request.authorization = authenticator_.known(remote.host, remote.scope);
  HttpResponse response = http_.send(request);
  // A 401 from where a redirect led to is not about our credentials.
  Url asked = Url::parse(remote.url);
  if (http_.is_plain(asked.host())) asked = asked.as_http();
  if (response.failure || response.status != 401 || response.url.host() != asked.host())
    return response;
  request.authorization =
      authenticator_.answer(remote.host, remote.scope, response, request.authorization);
  return http_.send(request);
}

HttpResponse Transfer::send_gated(HttpRequest request, const Remote& remote) {
  const HostGate::Pass pass(gate_, Url::parse(remote.url).host());
  HttpResponse response = send(std::move(request), remote);
  if (response.failure || response.status == 429 || response.status >= 500)
    gate_.pressed(pass);
  else if (response.ok())
    gate_.went_well(pass);
  return response;
}

std::optional<Document> Transfer::document(const Remote& remote, std::uint64_t limit) {
  Retry retry(attempts_);
  while (true) {
    Document document;
    HttpRequest request;
    request.url = remote.url;
    request.headers = remote.headers;
    request.on_body = [&](std::span<const std::byte> bytes) {
      if (document.bytes.size() + bytes.size() > limit)
        throw Error(ExitCode::verification,
                    fmt::format("{}: larger than the {} that are accepted",
                                Url::parse(remote.url).shown(), human_size(limit)));
      document.bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    const HttpResponse response = send(std::move(request), remote);
    if (response.failure) {
      retry.failed(*response.failure);
    } else if (response.status == 200) {
      document.headers = response.headers;
      return document;
    } else if (response.status == 404 ||
               (remote.optional_part &&
                (response.status == 400 || response.status == 405 || response.status == 406))) {
      return std::nullopt;
    } else {
      handle_refusal(response, remote, retry);
    }
  }
}

bool Transfer::fill(const Remote& remote, BlobStore::Partial& partial, const DownloadPlan& plan) {
  std::uint64_t told = 0;
  return fill(remote, partial, plan, told);
}

bool Transfer::fill(const Remote& remote, BlobStore::Partial& partial, const DownloadPlan& plan,
                    std::uint64_t& told) {
  Filling filling(remote, partial, plan, told);
  filling.report();
  Retry retry(attempts_);
  while (!filling.complete() || partial.offset() == 0) {
    HttpResponse response;
    try {
      response = send_gated(filling.next_request(), remote);
    } catch (const Error& error) {
      if (filling.range_problem().empty()) throw;
      filling.start_over();
      retry.failed(error);
      continue;
    }
    filling.check_resumable();
    if (filling.progressed()) retry.progressed();
    if (response.failure) {
      retry.failed(*response.failure);
    } else if (response.status == 404) {
      return false;
    } else if (response.status == 416) {
      filling.start_over();
      retry.failed(status_error(response));
    } else if (!response.ok()) {
      handle_refusal(response, remote, retry);
    } else if (filling.probed() || filling.complete() || !filling.total()) {
      // Without a length the end of the answer is the end of the content; the digest will tell.
      if (!filling.probed()) return true;
    } else {
      retry.failed(Error(ExitCode::network,
                         fmt::format("{}: {} of {} bytes came", response.url.shown(),
                                     partial.offset(), *filling.total()),
                         "run the same command again; it goes on where it stopped"));
    }
  }
  return true;
}

bool Transfer::fill_verified(const Remote& remote, BlobStore::Partial& partial,
                             const DownloadPlan& plan) {
  std::uint64_t told = 0;
  for (int attempt = 1;; ++attempt) {
    try {
      if (!fill(remote, partial, plan, told)) return false;
      partial.commit(plan.size.value_or(partial.offset()));
      return true;
    } catch (Error& error) {
      if (error.code() != ExitCode::verification) throw;
      partial.restart();
      if (attempt == 2)
        throw error.add_context("fetched twice from " + Url::parse(remote.url).shown())
            .set_hint("this place serves wrong bytes; take another one: --mirror FROM=TO");
    }
  }
}

}  // namespace kbundle
