// What the builder's tests share: a folder that goes again, a Progress that listens, and an
// upstream in memory.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/progress.hpp"
#include "registry/upstream.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace kbundle::test {

class Listener final : public Progress {
  struct Task final : ProgressTask {
    void advance(std::uint64_t) override {}
    void done(std::string_view) override {}
  };

 public:
  std::unique_ptr<ProgressTask> start(std::string, std::uint64_t) override {
    return std::make_unique<Task>();
  }
  void line(std::string_view text) override { keep(text); }
  void warn(std::string_view text) override { keep(text); }
  bool heard(const std::string& text) const {
    const std::lock_guard guard(mutex_);
    return heard_.find(text) != std::string::npos;
  }

 private:
  void keep(std::string_view text) {
    const std::lock_guard guard(mutex_);
    heard_ += std::string(text) + "\n";
  }
  mutable std::mutex mutex_;
  std::string heard_;
};

/// Documents by "HOST/REPOSITORY:TAG" and "HOST/REPOSITORY@DIGEST", blobs by
/// "HOST/REPOSITORY@DIGEST", files by URL. What is not there is a 404; a host in `down` answers
/// with Error{network}. Every question is kept in `asked`.
class MemoryUpstream final : public Upstream {
 public:
  std::map<std::string, std::pair<std::string, std::string>> documents;  ///< bytes, media type
  std::map<std::string, std::string> blobs;
  std::map<std::string, std::string> files;
  std::vector<std::string> down;
  std::vector<std::string> asked;

  std::optional<ManifestAnswer> manifest(const Reference& reference) override;
  bool blob(const Reference& repository, const Descriptor& descriptor, BlobStore& store,
            const OnBytes& on_bytes) override;
  std::optional<std::string> file(const std::string& url, std::uint64_t limit) override;
  bool download(const std::string& url, const Digest& digest, BlobStore& store,
                const OnBytes& on_total, const OnBytes& on_bytes) override;
  std::optional<RegistryClient::Found> download_unknown(const std::string& url, BlobStore& store,
                                                        const OnBytes& on_bytes) override;

  /// Puts an image there, single-platform or as an index when there are more architectures.
  void add_image(const std::string& name, const std::vector<std::string>& architectures);
  /// Everything that v1.18.2 with flannel needs, tiny.
  void add_v1_18_2();

 private:
  void ask(const std::string& what);
  std::mutex mutex_;
};

/// A .tar.gz of executables.
std::string tar_gz(const std::map<std::string, std::string>& members);

}  // namespace kbundle::test
