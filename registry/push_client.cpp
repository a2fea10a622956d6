#include "registry/push_client.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "core/error.hpp"
#include "registry/auth.hpp"
#include "registry/http.hpp"
#include "registry/transfer.hpp"
#include "registry/upload.hpp"
#include "registry/upload_state.hpp"
#include "registry/upload_target.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kChunk = 16U << 20U;

HttpRequest request_of(const char* method, const Url& url) {
  HttpRequest request;
  request.method = method;
  request.url = url.str();
  return request;
}

// What the transfer's errors advise is for downloads.
template <typename Function>
decltype(auto) for_push(const std::string& context, Function&& step) {
  return with_context(context, [&]() -> decltype(auto) {
    try {
      return step();
    } catch (Error& error) {
      if (error.hint().find("--mirror") != std::string::npos)
        error.set_hint(
            "check the registry, and run the same command again: what it has is not "
            "sent again");
      throw;
    }
  });
}

}  // namespace

struct PushClient::Impl {
  Impl(TransportOptions wanted, std::filesystem::path folder)
      : options(std::move(wanted)),
        state_folder(std::move(folder)),
        http(options),
        authenticator(http, Credentials(options.docker_config), options.attempts) {}

  TransportOptions options;
  std::filesystem::path state_folder;
  HttpClient http;
  Authenticator authenticator;

  // Uploads that a registry began when it was asked to mount and would not; blob() goes on there.
  std::mutex mutex;
  std::map<std::string, Url> begun;

  static std::string key(const Reference& repository, const Digest& digest) {
    return repository.name() + "@" + digest.str();
  }

  // What one request carries is not worth remembering.
  std::filesystem::path state_folder_for(const Descriptor& blob) const {
    return blob.size > kChunk ? state_folder : std::filesystem::path();
  }

  // Of a blob that is there, a run that was killed at its end may have left one.
  void forget_upload(const Reference& repository, const Descriptor& blob) const {
    UploadState state(state_folder_for(blob), repository, blob.digest);
    state.forget();
  }

  std::optional<Url> take_begun(const Reference& repository, const Digest& digest) {
    const std::lock_guard lock(mutex);
    const auto found = begun.extract(key(repository, digest));
    return found.empty() ? std::nullopt : std::optional<Url>(found.mapped());
  }

  // Asks until there is an answer; nullopt on 404.
  std::optional<HttpResponse> ask(const UploadTarget& target,
                                  const std::function<HttpRequest()>& make) {
    Retry retry(options.attempts);
    while (true) {
      const HttpResponse response = target.send(make);
      if (!response.failure && response.ok()) return response;
      if (!response.failure && response.status == 404) return std::nullopt;
      target.failed(response, retry);
    }
  }

  // The digest of what a GET gives, for registries that do not say it in a header.
  std::optional<Digest> digest_of_content(const UploadTarget& target, const Url& url) {
    std::string bytes;
    const auto response = ask(target, [&] {
      bytes.clear();
      HttpRequest request = request_of("GET", url);
      request.headers.push_back(accept_manifests());
      request.on_body = [&](std::span<const std::byte> part) {
        if (bytes.size() + part.size() > kLargestManifest)
          throw Error(ExitCode::verification, url.shown() + ": larger than any manifest");
        bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
      };
      return request;
    });
    return response ? std::optional<Digest>(sha256(bytes)) : std::nullopt;
  }
};

PushClient::PushClient(TransportOptions options, std::filesystem::path state_folder)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(state_folder))) {}

PushClient::~PushClient() = default;

std::optional<Digest> PushClient::manifest_digest(const Reference& reference) {
  return for_push("look for " + reference.str(), [&]() -> std::optional<Digest> {
    const UploadTarget target(impl_->http, impl_->authenticator, reference);
    const Url url = target.url("manifests/" + reference.target());
    const auto response = impl_->ask(target, [&] {
      HttpRequest request = request_of("HEAD", url);
      request.headers.push_back(accept_manifests());
      return request;
    });
    if (!response) return std::nullopt;
    const auto digest = response->headers.find("docker-content-digest");
    return digest ? Digest::parse(*digest) : impl_->digest_of_content(target, url);
  });
}

bool PushClient::has_blob(const Reference& repository, const Descriptor& descriptor) {
  return for_push(
      fmt::format("look for {} in {}", descriptor.digest.str(), repository.name()), [&] {
        const UploadTarget target(impl_->http, impl_->authenticator, repository);
        const Url url = target.url("blobs/" + descriptor.digest.str());
        const auto response = impl_->ask(target, [&] { return request_of("HEAD", url); });
        if (!response) return false;
        const auto length = response->headers.find("content-length");
        if (length && *length != std::to_string(descriptor.size)) return false;
        impl_->forget_upload(repository, descriptor);
        return true;
      });
}

bool PushClient::mount(const Reference& repository, const Digest& digest,
                       const std::string& from_repository) {
  return for_push(
      fmt::format("mount {} from {} into {}", digest.str(), from_repository, repository.name()),
      [&] {
        const UploadTarget target(impl_->http, impl_->authenticator, repository, from_repository);
        const Url url =
            target.url(fmt::format("blobs/uploads/?mount={}&from={}", url_escape(digest.str()),
                                   url_escape(from_repository)));
        Retry retry(impl_->options.attempts);
        while (true) {
          HttpResponse response;
          try {
            response = target.send([&] { return request_of("POST", url); });
          } catch (const Error& error) {
            // No right to read there; whatever else it is, the upload will meet it as well.
            if (error.code() != ExitCode::network) throw;
            return false;
          }
          if (!response.failure && response.status == 202) {
            const Url session = target.location(response);
            const std::lock_guard lock(impl_->mutex);
            impl_->begun.insert_or_assign(Impl::key(repository, digest), session);
            return false;
          }
          if (!response.failure && response.ok()) return true;
          // Whatever it has against mounting, it may take the bytes.
          if (!response.failure && response.status != 429 && response.status < 500) return false;
          target.failed(response, retry);
        }
      });
}

void PushClient::blob(const Reference& repository, const Descriptor& descriptor,
                      const Content& content, const std::function<void(std::uint64_t)>& on_bytes) {
  for_push(fmt::format("push blob {} to {}", descriptor.digest.str(), repository.name()), [&] {
    const UploadTarget target(impl_->http, impl_->authenticator, repository);
    UploadState state(impl_->state_folder_for(descriptor), repository, descriptor.digest);
    BlobUpload upload(target, state,
                      UploadPlan{descriptor, content, on_bytes, impl_->options.attempts, kChunk});
    upload.run(impl_->take_begun(repository, descriptor.digest));
  });
}

void PushClient::manifest(const Reference& reference, std::string_view bytes,
                          const std::string& media_type) {
  for_push("push the manifest " + reference.str(), [&] {
    const UploadTarget target(impl_->http, impl_->authenticator, reference);
    const Url url =
        target.url("manifests/" + (reference.tag().empty() ? reference.target() : reference.tag()));
    Retry retry(impl_->options.attempts);
    while (true) {
      const HttpResponse response = target.send([&] {
        HttpRequest request = request_of("PUT", url);
        request.headers.push_back("Content-Type: " + media_type);
        request.body = HttpRequest::Body{
            bytes.size(), [left = bytes](std::span<std::byte> buffer) mutable {
              const std::size_t count = std::min(buffer.size(), left.size());
              std::copy_n(reinterpret_cast<const std::byte*>(left.data()), count, buffer.data());
              left.remove_prefix(count);
              return count;
            }};
        return request;
      });
      if (response.failure || response.status == 401 || response.status == 403 ||
          response.status == 408 || response.status == 429 || response.status >= 500) {
        target.failed(response, retry);
        continue;
      }
      if (!response.ok())
        throw Error(ExitCode::network,
                    fmt::format("{} refuses the manifest ({}): {}", reference.host(),
                                response.status, refusal_words(response)));
      const auto found = response.headers.find("docker-content-digest");
      if (found && found->starts_with("sha256:") && *found != sha256(bytes).str())
        throw Error(ExitCode::verification,
                    fmt::format("{}: {} was sent, the registry has {}", reference.str(),
                                sha256(bytes).str(), Digest::parse(*found).str()),
                    "the registry changes what it is given");
      return;
    }
  });
}

}  // namespace kbundle
