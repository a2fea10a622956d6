#include "registry/upstream.hpp"

namespace kbundle {
namespace {

class ClientUpstream final : public Upstream {
 public:
  explicit ClientUpstream(const TransportOptions& options) : client_(options) {}
  std::optional<ManifestAnswer> manifest(const Reference& reference) override {
    return client_.manifest(reference);
  }
  std::vector<Referrer> referrers(const Reference& reference) override {
    return client_.referrers(reference);
  }
  bool blob(const Reference& repository, const Descriptor& descriptor, BlobStore& store,
            const OnBytes& on_bytes) override {
    return client_.blob(repository, descriptor, store, on_bytes);
  }
  std::optional<std::string> file(const std::string& url, std::uint64_t limit) override {
    return client_.file(url, limit);
  }
  bool download(const std::string& url, const Digest& digest, BlobStore& store,
                const OnBytes& on_total, const OnBytes& on_bytes) override {
    return client_.download(url, digest, store, on_total, on_bytes);
  }
  std::optional<RegistryClient::Found> download_unknown(const std::string& url, BlobStore& store,
                                                        const OnBytes& on_bytes) override {
    return client_.download_unknown(url, store, on_bytes);
  }

 private:
  RegistryClient client_;
};

}  // namespace

std::unique_ptr<Upstream> make_upstream(const TransportOptions& options) {
  return std::make_unique<ClientUpstream>(options);
}

}  // namespace kbundle
