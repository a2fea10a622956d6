#include "registry/client.hpp"

#include <fmt/core.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "registry/auth.hpp"
#include "registry/http.hpp"
#include "registry/transfer.hpp"

namespace kbundle {
namespace {

Remote remote_for(const Reference& reference, const std::string& path) {
  return Remote{
      fmt::format("https://{}/v2/{}/{}", api_host(reference.host()), reference.repository(), path),
      reference.host(),
      fmt::format("repository:{}:pull", reference.repository()),
      {}};
}

// What the bytes are: the Content-Type, or the document's own word where that says nothing.
std::string settled_type(const std::string& bytes, const std::string& content_type,
                         const std::string& what) {
  const std::string type = to_lower(trim(content_type.substr(0, content_type.find(';'))));
  if (type.starts_with("application/vnd.")) return type;
  const Json document = parse_json(bytes, what, JsonLimits{.size = kLargestManifest});
  if (document.is_object() && document.contains("mediaType"))
    return json_string(document, "mediaType", what);
  return document.is_object() && document.contains("manifests") ? media_type::oci_index
                                                                : media_type::oci_manifest;
}

Digest digest_of(const std::string& bytes, const std::string& algorithm) {
  Hasher hasher(algorithm);
  hasher.update(bytes);
  return hasher.finish();
}

void check_same(const Digest& wanted, const std::string& bytes, const std::string& what) {
  if (const Digest found = digest_of(bytes, wanted.algorithm()); found != wanted)
    throw Error(ExitCode::verification,
                fmt::format("{}: digest {} was wanted, the content has {}", what, wanted.str(),
                            found.str()),
                "this place serves wrong bytes; take another one: --mirror FROM=TO");
}

void append_referrers(const std::string& list, const std::string& what,
                      std::vector<Referrer>& result) {
  for (Descriptor& entry : Index::parse(list, media_type::oci_index, what).manifests)
    result.push_back({std::move(entry), ""});
}

// RFC 8288: `</v2/…>; rel="next"`. Empty when there is no next page.
std::string next_page(const HttpHeaders& headers) {
  const std::string link = headers.find("link").value_or("");
  const std::size_t end = link.find('>');
  if (!link.starts_with('<') || end == std::string::npos ||
      link.find("rel=\"next\"", end) == std::string::npos)
    return {};
  return link.substr(1, end - 1);
}

// Two threads of this process may want the same blob; the second waits for the first.
class InFlight {
 public:
  class Ticket {
   public:
    Ticket(InFlight& owner, std::string key) : owner_(owner), key_(std::move(key)) {
      std::unique_lock lock(owner_.mutex_);
      while (!owner_.keys_.insert(key_).second) {
        owner_.changed_.wait_for(lock, std::chrono::milliseconds(200));
        throw_if_interrupted();
      }
    }
    ~Ticket() {
      const std::lock_guard lock(owner_.mutex_);
      owner_.keys_.erase(key_);
      owner_.changed_.notify_all();
    }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    InFlight& owner_;
    std::string key_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> keys_;
};

}  // namespace

struct RegistryClient::Impl {
  explicit Impl(TransportOptions wanted)
      : options(std::move(wanted)),
        http(options),
        authenticator(http, Credentials(options.docker_config), options.attempts),
        transfer(http, authenticator, options) {}

  TransportOptions options;
  HttpClient http;
  Authenticator authenticator;
  Transfer transfer;
  InFlight in_flight;

  // From the referrers API; false when the registry does not have it.
  bool listed_referrers(const Reference& reference, std::vector<Referrer>& result);

  std::optional<ManifestAnswer> manifest_once(const Reference& reference) {
    Remote remote = remote_for(reference, "manifests/" + reference.target());
    remote.headers.push_back(accept_manifests());
    auto document = transfer.document(remote, kLargestManifest);
    if (!document) return std::nullopt;
    const std::string what = reference.str();
    ManifestAnswer answer;
    if (!reference.digest().empty()) check_same(reference.digest(), document->bytes, what);
    if (const auto stated = document->headers.find("docker-content-digest"))
      check_same(Digest::parse(trim(*stated)), document->bytes, what);
    answer.digest = reference.digest().empty() ? sha256(document->bytes) : reference.digest();
    answer.media_type =
        settled_type(document->bytes, document->headers.find("content-type").value_or(""), what);
    answer.bytes = std::move(document->bytes);
    return answer;
  }
};

bool RegistryClient::Impl::listed_referrers(const Reference& reference,
                                            std::vector<Referrer>& result) {
  constexpr int kMostPages = 32;
  Remote remote = remote_for(reference, "referrers/" + reference.digest().str());
  remote.headers.push_back(fmt::format("Accept: {}", media_type::oci_index));
  remote.optional_part = true;
  for (int page = 0; page < kMostPages; ++page) {
    const auto document = transfer.document(remote, kLargestManifest);
    if (!document) return page > 0;
    // Something else than a list, a proxy's page for instance, says nothing.
    const std::string type = to_lower(document->headers.find("content-type").value_or(""));
    if (!type.starts_with(media_type::oci_index)) return page > 0;
    append_referrers(document->bytes, remote.url, result);
    const std::string link = next_page(document->headers);
    if (link.empty()) return true;
    const Url here = Url::parse(remote.url);
    const auto next = here.resolve(link);
    if (!next || next->host() != here.host()) return true;
    remote.url = "https" + next->str().substr(next->str().find("://"));  // as remote_for() has it
  }
  return true;
}

RegistryClient::RegistryClient(TransportOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

RegistryClient::~RegistryClient() = default;

std::optional<ManifestAnswer> RegistryClient::manifest(const Reference& reference) {
  return with_context("get the manifest of " + reference.str(), [&] {
    try {
      return impl_->manifest_once(reference);
    } catch (const Error& error) {
      if (error.code() != ExitCode::verification) throw;
    }
    return impl_->manifest_once(reference);  // one clean retry for wrong bytes
  });
}

std::vector<Referrer> RegistryClient::referrers(const Reference& reference) {
  const Digest& digest = reference.digest();
  // The tag's grammar ends at 128 characters; the specification cuts the hash at 64.
  const std::string stem = digest.algorithm() + "-" + digest.hex().substr(0, 64);
  return with_context("list what refers to " + reference.str(), [&] {
    std::vector<Referrer> result;
    if (!impl_->listed_referrers(reference, result)) {
      const auto fallback = manifest(reference.with_digest({}).with_tag(stem));
      if (fallback) append_referrers(fallback->bytes, reference.str() + "'s referrers", result);
    }
    for (const char* suffix : {".sig", ".att", ".sbom"}) {
      const std::string tag = stem + suffix;
      const auto found = manifest(reference.with_digest({}).with_tag(tag));
      if (!found) continue;
      Descriptor descriptor;
      descriptor.media_type = found->media_type;
      descriptor.digest = found->digest;
      descriptor.size = found->bytes.size();
      result.push_back({std::move(descriptor), tag});
    }
    return result;
  });
}

bool RegistryClient::blob(const Reference& repository, const Descriptor& descriptor,
                          BlobStore& store, const std::function<void(std::uint64_t)>& on_bytes) {
  return with_context(
      fmt::format("get blob {} of {}", descriptor.digest.str(), repository.name()), [&] {
        const InFlight::Ticket ticket(impl_->in_flight, descriptor.digest.str());
        if (const auto size = store.find(descriptor.digest)) {
          if (*size != descriptor.size)
            throw Error(ExitCode::verification,
                        fmt::format("the manifest says that {} has {} bytes, but it has {}",
                                    descriptor.digest.str(), descriptor.size, *size));
          if (on_bytes) on_bytes(*size);
          return true;
        }
        auto partial = store.open_partial(descriptor.digest);
        return impl_->transfer.fill_verified(
            remote_for(repository, "blobs/" + descriptor.digest.str()), partial,
            DownloadPlan{descriptor.size, false, nullptr, on_bytes});
      });
}

std::optional<std::string> RegistryClient::file(const std::string& url, std::uint64_t limit) {
  auto document = impl_->transfer.document(Remote{url, "", "", {}}, limit);
  if (!document) return std::nullopt;
  return std::move(document->bytes);
}

bool RegistryClient::download(const std::string& url, const Digest& digest, BlobStore& store,
                              const std::function<void(std::uint64_t total)>& on_total,
                              const std::function<void(std::uint64_t)>& on_bytes) {
  const InFlight::Ticket ticket(impl_->in_flight, digest.str());
  if (const auto size = store.find(digest)) {
    if (on_total) on_total(*size);
    if (on_bytes) on_bytes(*size);
    return true;
  }
  auto partial = store.open_partial(digest);
  return impl_->transfer.fill_verified(Remote{url, "", "", {}}, partial,
                                       DownloadPlan{std::nullopt, false, on_total, on_bytes});
}

std::optional<RegistryClient::Found> RegistryClient::download_unknown(
    const std::string& url, BlobStore& store, const std::function<void(std::uint64_t)>& on_bytes) {
  const Digest key = sha256(url);  // a name for the partial; the content's digest comes at the end
  const InFlight::Ticket ticket(impl_->in_flight, key.str());
  auto partial = store.open_partial(key);
  if (!impl_->transfer.fill(Remote{url, "", "", {}}, partial,
                            DownloadPlan{std::nullopt, true, nullptr, on_bytes}))
    return std::nullopt;
  const std::uint64_t size = partial.offset();
  return Found{partial.publish_as_found(), size};
}

}  // namespace kbundle
