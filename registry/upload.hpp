// One blob on its way into a registry: started, sent in chunks, resumed, finished.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-a-blob-in-chunks
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/stream.hpp"
#include "registry/push_client.hpp"
#include "registry/retry.hpp"
#include "registry/types.hpp"
#include "registry/upload_state.hpp"
#include "registry/upload_target.hpp"

namespace kbundle {

/// The `Range` header of an upload's answers, "0-N" (some registries write "bytes=0-N"), as the
/// count of bytes that the registry has; nullopt when it is neither. "0-0" counts as none: so
/// docker-registry says it, and no chunk has one byte.
std::optional<std::uint64_t> parse_upload_range(std::string_view value);

struct UploadPlan {
  Descriptor blob;
  PushClient::Content content;
  std::function<void(std::uint64_t)> on_bytes;
  int attempts = 5;
  /// Bytes a request carries; a blob of at most so much goes in one.
  std::uint64_t chunk = 0;
};

class BlobUpload {
 public:
  BlobUpload(const UploadTarget& target, UploadState& state, UploadPlan plan)
      : target_(target),
        state_(state),
        plan_(std::move(plan)),
        chunk_(plan_.chunk),
        whole_(plan_.blob.size <= plan_.chunk),
        retry_(plan_.attempts) {}

  /// `session`: the address of an upload that this process has under way; else the state's, else a
  /// new one is started. Error{network}, Error{verification} when the registry finds that the
  /// content has another digest.
  void run(std::optional<Url> session);

 private:
  void start();
  void ask_where_it_stands();
  void send_chunk();
  void send_whole();
  void finish();

  HttpRequest carrying(const char* method, const Url& url, std::uint64_t size);
  std::size_t read(std::span<std::byte> buffer, std::uint64_t& at, std::uint64_t end);
  bool is_there() const;
  void take_location(const HttpResponse& response);
  void accepted(std::uint64_t offset);
  void settle_put(const HttpResponse& response);
  void chunk_refused(const HttpResponse& response);
  void broke_off(const HttpResponse& response);
  bool shrink(const HttpResponse& response);
  void start_over(const HttpResponse& response);
  void lose_session();
  void tell(std::uint64_t offset);

  const UploadTarget& target_;
  UploadState& state_;
  UploadPlan plan_;
  std::uint64_t chunk_;
  std::uint64_t least_chunk_ = 0;  // what the registry wants at least
  bool whole_;                     // in one PUT, because it is small or chunks were refused
  Retry retry_;

  std::optional<Url> session_;
  std::optional<Url> begun_;  // another one, that the registry began unasked
  std::uint64_t offset_ = 0;  // what the registry has of it
  bool certain_ = false;      // whether offset_ is known to hold
  bool recalled_ = false;     // the session is an earlier run's
  bool done_ = false;
  int started_over_ = 0;
  std::uint64_t furthest_ = 0;  // offset_ at most so far
  std::uint64_t told_ = 0;

  std::unique_ptr<Source> source_;  // the content from source_at_ on
  std::uint64_t source_at_ = 0;
};

}  // namespace kbundle
