#include "registry/upload.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

// An upload that went on for so long since its last failure counts as working.
constexpr std::uint64_t kProgress = 1U << 20U;
// A proxy in front of the registry may take less than a chunk (413); nobody takes less than this.
constexpr std::uint64_t kSmallestChunk = 256 * 1024;
constexpr int kMostStartsOver = 1;
// Registries hash or copy a whole blob before they answer that they have it.
constexpr std::chrono::seconds kCommitPatience = std::chrono::minutes(15);

// The answers of registries that do not know chunks.
bool refuses_chunks(long status) {
  switch (status) {
    case 400:
    case 405:
    case 411:
    case 412:
    case 415:
    case 416:
    case 422:
    case 501:
      return true;
    default:
      return false;
  }
}

bool session_is_gone(long status) {
  return status >= 400 && status < 500 && status != 401 && status != 403 && status != 408 &&
         status != 429;
}

Error refusal(const HttpResponse& response) {
  return Error(ExitCode::network, fmt::format("{}: status {}: {}", response.url.shown(),
                                              response.status, refusal_words(response)));
}

Url with_digest(const Url& session, const Digest& digest) {
  const bool has_query = session.str().find('?') != std::string::npos;
  return Url::parse(
      fmt::format("{}{}digest={}", session.str(), has_query ? '&' : '?', url_escape(digest.str())));
}

}  // namespace

std::optional<std::uint64_t> parse_upload_range(std::string_view value) {
  value = trim(value);
  if (value.starts_with("bytes=")) value.remove_prefix(std::string_view("bytes=").size());
  if (!value.starts_with("0-")) return std::nullopt;
  value.remove_prefix(2);
  std::uint64_t last = 0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), last);
  if (problem != std::errc() || end != value.data() + value.size() || last == UINT64_MAX)
    return std::nullopt;
  return last == 0 ? 0 : last + 1;
}

void BlobUpload::run(std::optional<Url> session) {
  begun_ = std::move(session);
  if (const auto earlier = state_.load()) {
    try {
      session_ = Url::parse(*earlier);
      recalled_ = true;
    } catch (const Error&) {
      state_.forget();
    }
  }
  while (!done_) {
    if (!session_)
      start();
    else if (!certain_)
      ask_where_it_stands();
    else if (whole_)
      send_whole();
    else if (offset_ < plan_.blob.size)
      send_chunk();
    else
      finish();
  }
  state_.forget();
  tell(plan_.blob.size);
}

void BlobUpload::start() {
  if (begun_) {
    session_ = std::exchange(begun_, std::nullopt);
    recalled_ = false;
    offset_ = 0;
    certain_ = true;
    return;
  }
  const Url url = target_.url("blobs/uploads/");
  const HttpResponse response = target_.send([&] {
    HttpRequest request;
    request.url = url.str();
    request.method = "POST";
    return request;
  });
  if (response.failure || response.status != 202) {
    if (!response.failure && response.ok())
      throw Error(ExitCode::network, fmt::format("{}: status {} for the start of an upload",
                                                 url.shown(), response.status));
    return target_.failed(response, retry_);
  }
  if (const auto least = response.headers.find("oci-chunk-min-length")) {
    std::uint64_t bytes = 0;
    const std::string_view text = trim(*least);
    if (std::from_chars(text.data(), text.data() + text.size(), bytes).ec == std::errc()) {
      least_chunk_ = bytes;
      chunk_ = std::max(chunk_, least_chunk_);
    }
  }
  recalled_ = false;
  offset_ = 0;
  certain_ = true;
  take_location(response);
}

// After a failure only the registry knows how much of it came.
void BlobUpload::ask_where_it_stands() {
  HttpResponse response;
  try {
    response = target_.send([&] {
      HttpRequest request;
      request.url = session_->str();
      return request;
    });
  } catch (const Error& error) {
    // An earlier run's address may lead anywhere by now.
    if (error.code() == ExitCode::interrupted || !recalled_) throw;
    return lose_session();
  }
  if (response.failure) {
    if (recalled_) return lose_session();
    return target_.failed(response, retry_);
  }
  if (!response.ok()) {
    if (recalled_ || session_is_gone(response.status)) return lose_session();
    return target_.failed(response, retry_);
  }
  const auto offset = parse_upload_range(response.headers.find("range").value_or(""));
  if (!offset || *offset > plan_.blob.size) return lose_session();
  // One request can only carry all of it.
  if (whole_ && *offset > 0) return lose_session();
  certain_ = true;
  accepted(*offset);
  if (response.headers.find("location")) take_location(response);
}

void BlobUpload::send_chunk() {
  const std::uint64_t size = std::min(chunk_, plan_.blob.size - offset_);
  const HttpResponse response = target_.send([&] {
    HttpRequest request = carrying("PATCH", *session_, size);
    request.headers.push_back(fmt::format("Content-Range: {}-{}", offset_, offset_ + size - 1));
    return request;
  });
  if (response.failure) return broke_off(response);
  if (!response.ok()) return chunk_refused(response);
  const auto range = response.headers.find("range");
  const auto has = range ? parse_upload_range(*range) : offset_ + size;
  if (!has || *has <= offset_ || *has > offset_ + size) {
    certain_ = false;
    return retry_.failed(
        Error(ExitCode::network,
              fmt::format("{}: bytes {}-{} were sent, and the registry says it has \"{}\"",
                          response.url.shown(), offset_, offset_ + size - 1,
                          printable(range.value_or("").substr(0, 100)))));
  }
  accepted(*has);
  if (response.headers.find("location")) take_location(response);
}

void BlobUpload::chunk_refused(const HttpResponse& response) {
  if (response.status == 413 && shrink(response)) return;
  if (offset_ == 0 && refuses_chunks(response.status)) {
    whole_ = true;
    return lose_session();
  }
  if (response.status == 416) return broke_off(response);
  if (session_is_gone(response.status)) return start_over(response);
  broke_off(response);
}

void BlobUpload::send_whole() {
  const HttpResponse response = target_.send(
      [&] { return carrying("PUT", with_digest(*session_, plan_.blob.digest), plan_.blob.size); });
  if (!response.failure && response.status == 413 && shrink(response)) {
    whole_ = false;
    return;
  }
  settle_put(response);
}

void BlobUpload::finish() {
  settle_put(target_.send([&] {
    HttpRequest request;
    request.url = with_digest(*session_, plan_.blob.digest).str();
    request.method = "PUT";
    request.headers.push_back("Content-Type: application/octet-stream");
    request.patience = kCommitPatience;
    return request;
  }));
}

void BlobUpload::settle_put(const HttpResponse& response) {
  if (!response.failure && response.ok()) {
    const auto found = response.headers.find("docker-content-digest");
    if (found && trim(*found) != plan_.blob.digest.str() &&
        plan_.blob.digest.str().starts_with("sha256:"))
      throw Error(ExitCode::verification,
                  fmt::format("{}: the registry stored {} as {}", response.url.shown(),
                              plan_.blob.digest.str(), printable(trim(*found).substr(0, 200))));
    done_ = true;
    return;
  }
  // The registry may have stored it and only the answer was lost.
  if (is_there()) {
    done_ = true;
    return;
  }
  if (!response.failure && has_error_code(response, "DIGEST_INVALID")) {
    if (started_over_ < kMostStartsOver) return start_over(response);
    throw Error(ExitCode::verification,
                fmt::format("{}: the registry finds another digest than {}: {}",
                            response.url.shown(), plan_.blob.digest.str(), refusal_words(response)),
                "the bytes change on their way (a proxy?), or the registry is broken");
  }
  if (!response.failure && session_is_gone(response.status)) return start_over(response);
  broke_off(response);
}

bool BlobUpload::is_there() const {
  const HttpResponse response = target_.send([&] {
    HttpRequest request;
    request.url = target_.url("blobs/" + plan_.blob.digest.str()).str();
    request.method = "HEAD";
    return request;
  });
  return !response.failure && response.status == 200;
}

HttpRequest BlobUpload::carrying(const char* method, const Url& url, std::uint64_t size) {
  HttpRequest request;
  request.url = url.str();
  request.method = method;
  request.headers.push_back("Content-Type: application/octet-stream");
  request.body = HttpRequest::Body{
      size, [this, at = offset_, end = offset_ + size](std::span<std::byte> buffer) mutable {
        return read(buffer, at, end);
      }};
  return request;
}

// The content's bytes from `at` on. A chunk goes on with the Source that the one before had.
std::size_t BlobUpload::read(std::span<std::byte> buffer, std::uint64_t& at, std::uint64_t end) {
  if (at == end) return 0;
  if (!source_ || source_at_ != at) {
    source_ = plan_.content(at);
    source_at_ = at;
  }
  const std::size_t wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - at));
  const std::size_t count = source_->read(buffer.first(wanted));
  if (count == 0)
    throw Error(ExitCode::verification, fmt::format("the content of {} ends after {} of {} bytes",
                                                    plan_.blob.digest.str(), at, plan_.blob.size));
  at += count;
  source_at_ = at;
  tell(at);
  return count;
}

void BlobUpload::take_location(const HttpResponse& response) {
  session_ = target_.location(response);
  if (!whole_) state_.save(session_->str());
}

void BlobUpload::accepted(std::uint64_t offset) {
  offset_ = offset;
  tell(offset);
  if (offset_ < furthest_ + kProgress && offset_ < plan_.blob.size) return;
  if (offset_ > furthest_) retry_.progressed();
  furthest_ = std::max(furthest_, offset_);
}

void BlobUpload::broke_off(const HttpResponse& response) {
  certain_ = false;
  if (!response.failure && response.status == 416) return retry_.failed(refusal(response));
  target_.failed(response, retry_);
}

// Whether there is a smaller chunk to try.
bool BlobUpload::shrink(const HttpResponse& response) {
  const std::uint64_t sent = std::min(chunk_, plan_.blob.size - offset_);
  const std::uint64_t least = std::max(least_chunk_, kSmallestChunk);
  if (sent <= least)
    throw refusal(response).set_hint(
        "a proxy in front of the registry limits the size of requests; raise it there (nginx: "
        "client_max_body_size 0)");
  chunk_ = std::max(least, sent / 4);
  certain_ = false;
  return true;
}

// The upload is gone without a failure that explains it: once may happen (the registry cleans up).
void BlobUpload::start_over(const HttpResponse& response) {
  if (started_over_ == kMostStartsOver) throw refusal(response);
  ++started_over_;
  lose_session();
}

void BlobUpload::lose_session() {
  session_.reset();
  offset_ = 0;
  certain_ = false;
  recalled_ = false;
  state_.forget();
}

// Bytes that go a second time are not told again.
void BlobUpload::tell(std::uint64_t offset) {
  if (offset <= told_) return;
  if (plan_.on_bytes) plan_.on_bytes(offset - told_);
  told_ = offset;
}

}  // namespace kbundle
