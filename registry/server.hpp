// A read-only registry: the pull and content-discovery parts of the OCI distribution protocol.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/stream.hpp"
#include "registry/types.hpp"

namespace kbundle {

/// What a server gives out. Called by several threads at once; must outlive the server.
class RegistryContent {
 public:
  virtual ~RegistryContent() = default;
  /// Sorted, each once.
  virtual std::vector<std::string> repositories() const = 0;
  /// Sorted; nullopt when there is no such repository.
  virtual std::optional<std::vector<std::string>> tags(std::string_view repository) const = 0;

  struct Document {
    std::string media_type;
    Digest digest;
    std::string bytes;
  };
  /// By tag or digest.
  virtual std::optional<Document> manifest(std::string_view repository,
                                           std::string_view reference) const = 0;
  /// Size of a blob that belongs to the repository, in bytes.
  virtual std::optional<std::uint64_t> blob_size(std::string_view repository,
                                                 const Digest& digest) const = 0;
  /// A part of a blob. What the source gives is verified before it is given; when it does not hold
  /// the source throws, and the client's connection is cut short of its Content-Length.
  virtual std::unique_ptr<Source> open_blob(const Digest& digest, std::uint64_t offset,
                                            std::uint64_t size) const = 0;
  /// Manifests whose subject is `digest`, with artifact_type and annotations.
  virtual std::vector<Descriptor> referrers(std::string_view repository,
                                            const Digest& digest) const = 0;
};

struct ServerOptions {
  std::string address = "127.0.0.1";      ///< an IPv4 or IPv6 address, not a name
  std::uint16_t port = 5000;              ///< 0: any free one
  std::filesystem::path tls_certificate;  ///< PEM chain; both empty: plain HTTP
  std::filesystem::path tls_key;
  std::filesystem::path password_file;  ///< htpasswd lines (bcrypt, or crypt(3)'s); empty: no login
  std::size_t threads = 0;              ///< 0: as many as there are processors, at least 4
  std::size_t connections = 512;        ///< at once; further ones wait in the kernel's queue
  std::chrono::seconds idle_timeout{60};  ///< of a connection without a request, or a stalled one
  /// Told of each answered request; may be empty. Called by several threads.
  struct Served {
    std::string client, method, target;
    unsigned status = 0;
    std::uint64_t bytes = 0;  ///< of the body
  };
  std::function<void(const Served&)> on_request;
  /// Told why an answer had to be refused or cut: the content did not hold. As on_request.
  std::function<void(const Served&, const Error&)> on_damage;
};

class RegistryServer {
 public:
  /// Binds and listens. Error{usage} for an address, certificate or password file that is none,
  /// Error{busy} naming the port when it is taken.
  RegistryServer(const RegistryContent& content, ServerOptions options);
  ~RegistryServer();
  /// "127.0.0.1:5000", "[::1]:5000"
  std::string address() const;
  /// Serves until a stop was asked for (core/interrupt.hpp) or stop() is called; answers under way
  /// get a few seconds to end.
  void run();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kbundle
