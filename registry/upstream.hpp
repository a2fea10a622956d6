// Where bytes come from, as the Fetcher sees it. The real one asks registries and web servers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "registry/client.hpp"

namespace kbundle {

/// One place is asked at a time; which places there are is the Fetcher's matter. Thread-safe.
/// What each call does and throws stands at RegistryClient.
class Upstream {
 public:
  using OnBytes = std::function<void(std::uint64_t)>;
  virtual ~Upstream() = default;
  virtual std::optional<ManifestAnswer> manifest(const Reference& reference) = 0;
  virtual std::vector<Referrer> referrers(const Reference&) { return {}; }
  virtual bool blob(const Reference& repository, const Descriptor& descriptor, BlobStore& store,
                    const OnBytes& on_bytes) = 0;
  virtual std::optional<std::string> file(const std::string& url, std::uint64_t limit) = 0;
  virtual bool download(const std::string& url, const Digest& digest, BlobStore& store,
                        const OnBytes& on_total, const OnBytes& on_bytes) = 0;
  virtual std::optional<RegistryClient::Found> download_unknown(const std::string& url,
                                                                BlobStore& store,
                                                                const OnBytes& on_bytes) = 0;
};

std::unique_ptr<Upstream> make_upstream(const TransportOptions& options);

}  // namespace kbundle
