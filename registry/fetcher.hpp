// Gets bytes from the first place that has the right ones, and remembers which place that was.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/progress.hpp"
#include "registry/blob_store.hpp"
#include "registry/mirrors.hpp"
#include "registry/upstream.hpp"

namespace kbundle {

/// Asks each place that the mirror rules give, in order. A place that does not answer, has not got
/// it, or gives wrong bytes is passed over; when none is left, the Error lists every place and what
/// it said (verification if one of them gave wrong bytes, network otherwise). Thread-safe.
class Fetcher {
 public:
  using OnBytes = Upstream::OnBytes;
  Fetcher(Upstream& upstream, const Mirrors& mirrors, BlobStore& store)
      : upstream_(upstream), mirrors_(mirrors), store_(store) {}

  BlobStore& store() const { return store_; }

  struct Document {
    ManifestAnswer answer;
    std::string from;       ///< "registry.example/k8s/pause:3.2"
    bool mirrored = false;  ///< not one of the name's own registries
  };
  /// A manifest or index. With a digest in `wanted`, only bytes with that digest pass.
  Document manifest(const Reference& wanted);

  /// A manifest or index that an index of `name` names: from the store, else from a place that has
  /// it, and then into the store. Error{verification} when its size is another.
  std::string document(const Reference& name, const Descriptor& descriptor);

  /// What belongs to the image with `image`'s digest, from the first place that has it. A place
  /// that does not answer is passed over; when none does, the Error lists them.
  std::vector<Referrer> referrers(const Reference& image);

  /// One blob into the store, unless it is there with its size.
  void blob(const Reference& repository, const Descriptor& descriptor, const OnBytes& on_bytes);

  struct Text {
    std::string text;
    std::string from;
  };
  /// A small file. `check` throws Error{verification} when these cannot be the right bytes (a
  /// proxy's error page); then the next place is asked.
  Text file(const std::string& url, std::uint64_t limit,
            const std::function<void(const std::string&)>& check);
  /// A large file into the store, unless it is there. Returns the place, or "cache".
  std::string download(const std::string& url, const Digest& digest, const OnBytes& on_total,
                       const OnBytes& on_bytes);
  /// A large file whose digest nobody published.
  struct Found {
    Digest digest;
    std::uint64_t size = 0;
    std::string from;
  };
  Found download_unknown(const std::string& url, const OnBytes& on_bytes);

  /// Bytes that came over the network so far, without manifests and small files.
  std::uint64_t fetched() const;
  /// Which place each blob came from, by digest; "cache" for what was there.
  std::map<std::string, std::string> origins() const;

 private:
  class Turn;
  OnBytes counting(const OnBytes& on_bytes);
  void remember(const Digest& digest, const std::string& place);

  Upstream& upstream_;
  const Mirrors& mirrors_;
  BlobStore& store_;
  mutable std::mutex mutex_;
  std::uint64_t fetched_ = 0;
  std::map<std::string, std::string> origins_;
  std::set<Digest> under_way_;  // a blob that two images share is fetched by one of them
  std::condition_variable ended_;
};

/// A blob and the repository it is asked from.
struct BlobToFetch {
  Reference repository;
  Descriptor descriptor;
};

/// Fetches what the store has not got yet, each digest once, `parallel` at a time.
void fetch_blobs(Fetcher& fetcher, const std::vector<BlobToFetch>& blobs, std::size_t parallel,
                 Progress& progress);
/// A blob of the cache, hashed again while it is read. One that does not hold any more (a disk's
/// fault) is taken out of the cache, so that the next run fetches it anew; Error{verification}.
std::unique_ptr<Source> open_cached(BlobStore& store, const Digest& digest);

/// Hashes what the store has of these, `parallel` at a time, and takes out what is damaged, so that
/// it is fetched anew.
void drop_damaged(BlobStore& store, const std::vector<BlobToFetch>& blobs, std::size_t parallel,
                  Progress& progress);

/// Of these, each digest once: bytes.
std::uint64_t total_bytes(const std::vector<BlobToFetch>& blobs);
/// Of these, what the store has not got, broken-off downloads included: bytes.
std::uint64_t missing_bytes(const BlobStore& store, const std::vector<BlobToFetch>& blobs);

/// Of these, what has still to come to the disk: bytes.
std::uint64_t needed_bytes(const BlobStore& store, const std::vector<BlobToFetch>& blobs);

}  // namespace kbundle
