#include "registry/fetcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr const char* kCache = "cache";

std::string name_of(const Reference& place) {
  return place.str();
}
std::string name_of(const std::string& place) {
  return place;
}

// What each place said.
class Failures {
 public:
  void add(const std::string& place, const std::string& said) {
    text_ += fmt::format("\n    {}: {}", place, said);
    ++count_;
  }
  void add(const std::string& place, const Error& error) {
    add(place, error.message());
    if (error.code() == ExitCode::verification) code_ = ExitCode::verification;
    if (hint_.empty()) hint_ = error.hint();
  }
  [[noreturn]] void raise(const std::string& what) const {
    throw Error(code_,
                fmt::format("{} could not be had from {}:{}", what,
                            count_ == 1 ? "the one place there is" : "any place", text_),
                hint_.empty() ? "name a place that has it: --mirror HOST=OTHER-HOST; the same "
                                "command continues where this one stopped"
                              : hint_);
  }

 private:
  ExitCode code_ = ExitCode::network;
  std::string text_;
  std::string hint_;
  int count_ = 0;
};

// The first place for which `attempt` gives something. Only what another place can heal is passed
// over: a full disk or an interruption is not.
template <typename Place, typename Attempt>
auto first_answer(const std::string& what, const std::vector<Place>& places, Attempt attempt) {
  Failures failures;
  for (const Place& place : places) {
    throw_if_interrupted();
    try {
      if (auto answer = attempt(place)) return *std::move(answer);
      failures.add(name_of(place), "not there (404)");
    } catch (const Error& error) {
      if (error.code() != ExitCode::network && error.code() != ExitCode::verification) throw;
      failures.add(name_of(place), error);
    }
  }
  failures.raise(what);
}

class CachedSource final : public Source {
 public:
  CachedSource(BlobStore& store, const Digest& digest, std::uint64_t size)
      : store_(store),
        digest_(digest),
        source_(store.open(digest), digest, size, store.path_of(digest).string()) {}
  std::size_t read(std::span<std::byte> buffer) override {
    try {
      return source_.read(buffer);
    } catch (Error& error) {
      if (error.code() == ExitCode::verification) {
        store_.remove(digest_);
        error.set_hint("the damaged copy was taken out of the cache; run the same command again");
      }
      throw;
    }
  }

 private:
  BlobStore& store_;
  Digest digest_;
  VerifyingSource source_;
};

// Whether the content is what the blob is named.
bool holds(const BlobStore& store, const Digest& digest, std::uint64_t size) {
  VerifyingSource source(store.open(digest), digest, size, store.path_of(digest).string());
  std::vector<std::byte> buffer(kCopyBufferSize);
  try {
    while (source.read(buffer) > 0) throw_if_interrupted();
    return true;
  } catch (const Error& error) {
    if (error.code() != ExitCode::verification) throw;
    return false;
  }
}

bool has(const BlobStore& store, const Digest& digest, std::uint64_t size) {
  const auto found = store.find(digest);
  return found && *found == size;
}

}  // namespace

// While it lives nobody else fetches this digest.
class Fetcher::Turn {
 public:
  Turn(Fetcher& fetcher, const Digest& digest) : fetcher_(fetcher), digest_(digest) {
    std::unique_lock guard(fetcher_.mutex_);
    fetcher_.ended_.wait(guard, [&] { return !fetcher_.under_way_.contains(digest_); });
    fetcher_.under_way_.insert(digest_);
  }
  ~Turn() {
    const std::lock_guard guard(fetcher_.mutex_);
    fetcher_.under_way_.erase(digest_);
    fetcher_.ended_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Fetcher& fetcher_;
  const Digest digest_;
};

Fetcher::Document Fetcher::manifest(const Reference& wanted) {
  return first_answer(
      wanted.str(), mirrors_.places(wanted),
      [&](const Reference& place) -> std::optional<Document> {
        auto answer = upstream_.manifest(place);
        if (!answer) return std::nullopt;
        if (sha256(answer->bytes) != answer->digest ||
            (!wanted.digest().empty() && answer->digest != wanted.digest())) {
          throw Error(
              ExitCode::verification,
              fmt::format("its manifest has the digest {}, wanted {}", sha256(answer->bytes).str(),
                          wanted.digest().empty() ? answer->digest.str() : wanted.digest().str()));
        }
        return Document{*std::move(answer), place.str(), !Mirrors::is_upstream(place, wanted)};
      });
}

std::string Fetcher::document(const Reference& name, const Descriptor& descriptor) {
  if (auto cached = store_.read_if_sound(descriptor.digest, descriptor.size))
    return *std::move(cached);
  Document found = manifest(name.with_digest(descriptor.digest));
  if (found.answer.bytes.size() != descriptor.size) {
    throw Error(ExitCode::verification,
                fmt::format("{}: {} has {} bytes, its index says {}", name.str(),
                            descriptor.digest.str(), found.answer.bytes.size(), descriptor.size));
  }
  store_.put(descriptor.digest, found.answer.bytes);
  return std::move(found.answer.bytes);
}

std::vector<Referrer> Fetcher::referrers(const Reference& image) {
  // A mirror may well have the image and nothing that refers to it: the next place is asked too.
  Failures failures;
  bool answered = false;
  for (const Reference& place : mirrors_.places(image)) {
    throw_if_interrupted();
    try {
      auto list = upstream_.referrers(place);
      if (!list.empty()) return list;
      answered = true;
    } catch (const Error& error) {
      if (error.code() != ExitCode::network && error.code() != ExitCode::verification) throw;
      failures.add(place.str(), error);
    }
  }
  if (!answered) failures.raise("what refers to " + image.str());
  return {};
}

void Fetcher::blob(const Reference& repository, const Descriptor& descriptor,
                   const OnBytes& on_bytes) {
  const Turn turn(*this, descriptor.digest);
  if (has(store_, descriptor.digest, descriptor.size)) {
    remember(descriptor.digest, kCache);
    return;
  }
  if (const auto size = store_.find(descriptor.digest)) {
    // Either the manifest lies about the size, or the cached copy is not what it is named.
    if (holds(store_, descriptor.digest, *size)) {
      throw Error(ExitCode::verification,
                  fmt::format("{}: {} is said to have {} bytes, and it has {}", repository.str(),
                              descriptor.digest.str(), descriptor.size, *size),
                  "the manifest that says so is wrong: take the image from another place");
    }
    store_.remove(descriptor.digest);
  }
  const auto what = fmt::format("{} of {}", descriptor.digest.str(), repository.str());
  const auto place = first_answer(
      what, mirrors_.places(repository), [&](const Reference& each) -> std::optional<std::string> {
        if (!upstream_.blob(each, descriptor, store_, counting(on_bytes))) return std::nullopt;
        return each.name();
      });
  remember(descriptor.digest, place);
}

Fetcher::Text Fetcher::file(const std::string& url, std::uint64_t limit,
                            const std::function<void(const std::string&)>& check) {
  return first_answer(url, mirrors_.places(url),
                      [&](const std::string& place) -> std::optional<Text> {
                        auto text = upstream_.file(place, limit);
                        if (!text) return std::nullopt;
                        check(*text);
                        return Text{*std::move(text), place};
                      });
}

std::string Fetcher::download(const std::string& url, const Digest& digest, const OnBytes& on_total,
                              const OnBytes& on_bytes) {
  const Turn turn(*this, digest);
  if (store_.find(digest)) {
    remember(digest, kCache);
    return kCache;
  }
  const auto place = first_answer(
      url, mirrors_.places(url), [&](const std::string& each) -> std::optional<std::string> {
        if (!upstream_.download(each, digest, store_, on_total, counting(on_bytes))) {
          return std::nullopt;
        }
        return each;
      });
  remember(digest, place);
  return place;
}

Fetcher::Found Fetcher::download_unknown(const std::string& url, const OnBytes& on_bytes) {
  auto found =
      first_answer(url, mirrors_.places(url), [&](const std::string& each) -> std::optional<Found> {
        const auto answer = upstream_.download_unknown(each, store_, counting(on_bytes));
        if (!answer) return std::nullopt;
        return Found{answer->digest, answer->size, each};
      });
  remember(found.digest, found.from);
  return found;
}

Fetcher::OnBytes Fetcher::counting(const OnBytes& on_bytes) {
  return [this, on_bytes](std::uint64_t bytes) {
    {
      const std::lock_guard guard(mutex_);
      fetched_ += bytes;
    }
    if (on_bytes) on_bytes(bytes);
  };
}

void Fetcher::remember(const Digest& digest, const std::string& place) {
  const std::lock_guard guard(mutex_);
  // A second look at what this run fetched finds it in the cache; the first place counts.
  origins_.emplace(digest.str(), place);
}

std::uint64_t Fetcher::fetched() const {
  const std::lock_guard guard(mutex_);
  return fetched_;
}

std::map<std::string, std::string> Fetcher::origins() const {
  const std::lock_guard guard(mutex_);
  return origins_;
}

void fetch_blobs(Fetcher& fetcher, const std::vector<BlobToFetch>& blobs, std::size_t parallel,
                 Progress& progress) {
  std::vector<const BlobToFetch*> wanted;
  std::set<Digest> seen;
  for (const BlobToFetch& blob : blobs) {
    if (seen.insert(blob.descriptor.digest).second) wanted.push_back(&blob);
  }
  const std::uint64_t missing = missing_bytes(fetcher.store(), blobs);
  const auto task = progress.start(fmt::format("{} image blobs", wanted.size()), missing);
  for_each_parallel(wanted.size(), parallel, [&](std::size_t index) {
    const BlobToFetch& blob = *wanted[index];
    fetcher.blob(blob.repository, blob.descriptor,
                 [&](std::uint64_t bytes) { task->advance(bytes); });
  });
  task->done(missing == 0 ? "all in the cache" : "sha256 held");
}

std::unique_ptr<Source> open_cached(BlobStore& store, const Digest& digest) {
  const auto size = store.find(digest);
  if (!size) {
    throw Error(ExitCode::verification, digest.str() + " has gone from the cache",
                "run the same command again");
  }
  return std::make_unique<CachedSource>(store, digest, *size);
}

void drop_damaged(BlobStore& store, const std::vector<BlobToFetch>& blobs, std::size_t parallel,
                  Progress& progress) {
  std::vector<Descriptor> present;
  std::set<Digest> seen;
  std::uint64_t total = 0;
  for (const BlobToFetch& blob : blobs) {
    const Descriptor& wanted = blob.descriptor;
    if (!seen.insert(wanted.digest).second || !has(store, wanted.digest, wanted.size)) continue;
    present.push_back(wanted);
    total += wanted.size;
  }
  if (present.empty()) return;
  const auto task = progress.start(fmt::format("{} blobs that are here", present.size()), total);
  std::atomic<std::size_t> damaged = 0;
  for_each_parallel(present.size(), parallel, [&](std::size_t i) {
    std::vector<std::byte> buffer(kCopyBufferSize);
    try {
      const auto source = open_cached(store, present[i].digest);
      while (const std::size_t count = source->read(buffer)) {
        throw_if_interrupted();
        task->advance(count);
      }
    } catch (const Error& error) {
      if (error.code() != ExitCode::verification) throw;
      ++damaged;
    }
  });
  task->done(damaged == 0 ? "sha256 held" : fmt::format("{} damaged, taken out", damaged.load()));
}

std::uint64_t total_bytes(const std::vector<BlobToFetch>& blobs) {
  std::uint64_t bytes = 0;
  std::set<Digest> seen;
  for (const BlobToFetch& blob : blobs) {
    if (seen.insert(blob.descriptor.digest).second) bytes += blob.descriptor.size;
  }
  return bytes;
}

std::uint64_t missing_bytes(const BlobStore& store, const std::vector<BlobToFetch>& blobs) {
  std::uint64_t bytes = 0;
  std::set<Digest> seen;
  for (const BlobToFetch& blob : blobs) {
    if (!seen.insert(blob.descriptor.digest).second) continue;
    if (!has(store, blob.descriptor.digest, blob.descriptor.size)) bytes += blob.descriptor.size;
  }
  return bytes;
}

std::uint64_t needed_bytes(const BlobStore& store, const std::vector<BlobToFetch>& blobs) {
  std::uint64_t bytes = 0;
  std::set<Digest> seen;
  for (const BlobToFetch& blob : blobs) {
    const Descriptor& wanted = blob.descriptor;
    if (!seen.insert(wanted.digest).second || has(store, wanted.digest, wanted.size)) continue;
    bytes += wanted.size - std::min(wanted.size, store.partial_size(wanted.digest));
  }
  return bytes;
}

}  // namespace kbundle
