#include "registry/blob_store.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/interrupt.hpp"

namespace kbundle {
namespace {

// So much may be lost to a power cut: what came before is on the disk. The fsync at the end then
// has little left to do.
constexpr std::uint64_t kSyncStep = 16U << 20U;

std::filesystem::path partial_path(const std::filesystem::path& root, const Digest& key) {
  return root / "partial" / (key.algorithm() + "-" + key.hex() + ".part");
}

// Opens and locks the file that `path` names; nullopt when it was renamed or removed between the
// open and the lock (its last writer just ended), and the caller tries again.
std::optional<UniqueFd> open_locked(const std::filesystem::path& path) {
  UniqueFd fd = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw_errno("lock " + path.string(), errno);
    throw Error(ExitCode::busy, "another kbundle is downloading " + path.string(),
                "wait until it ends, or give this run another cache folder");
  }
  struct stat opened {};
  struct stat named {};
  if (::fstat(fd.get(), &opened) != 0) throw_errno("stat " + path.string(), errno);
  if (!S_ISREG(opened.st_mode))
    throw Error(ExitCode::disk, path.string() + " is not a regular file",
                "remove it and run the command again");
  if (::stat(path.c_str(), &named) != 0 || opened.st_ino != named.st_ino ||
      opened.st_dev != named.st_dev)
    return std::nullopt;
  return fd;
}

}  // namespace

struct BlobStore::Partial::State {
  std::filesystem::path root;
  std::filesystem::path path;
  Digest digest;
  UniqueFd fd;
  Hasher hasher;
  std::uint64_t offset = 0;
  std::uint64_t synced = 0;
  bool published = false;

  // Called once, for what an earlier run left.
  void hash_existing() {
    std::vector<std::byte> buffer(kCopyBufferSize);
    while (true) {
      throw_if_interrupted();
      const ssize_t count =
          ::pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_errno("read " + path.string(), errno);
      if (count == 0) return;
      hasher.update(std::span(buffer.data(), static_cast<std::size_t>(count)));
      offset += static_cast<std::uint64_t>(count);
    }
  }

  void clear() {
    if (::ftruncate(fd.get(), 0) != 0) throw_errno("truncate " + path.string(), errno);
    hasher = Hasher(digest.algorithm());
    offset = 0;
    synced = 0;
  }

  // After a failed fsync the kernel may hold pages as clean that never reached the disk; a second
  // fsync would call them good. So the content goes.
  [[noreturn]] void give_up_after_failed_sync() {
    const int reason = errno;
    ::unlink(path.c_str());
    throw_errno("fsync " + path.string(), reason);
  }

  void publish(const std::filesystem::path& target) {
    if (::fsync(fd.get()) != 0) give_up_after_failed_sync();
    make_folders(target.parent_path());
    if (::rename(path.c_str(), target.c_str()) != 0)
      throw_errno("rename " + path.string() + " to " + target.string(), errno);
    published = true;
    fsync_folder(target.parent_path());
  }
};

BlobStore::Partial::Partial(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlobStore::Partial::Partial(Partial&&) noexcept = default;

BlobStore::Partial::~Partial() {
  // Nothing worth resuming: leave no empty file. The lock is still held here.
  if (state_ && !state_->published && state_->offset == 0) ::unlink(state_->path.c_str());
}

std::uint64_t BlobStore::Partial::offset() const {
  return state_->offset;
}

void BlobStore::Partial::append(std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::pwrite(state_->fd.get(), bytes.data() + done, bytes.size() - done,
                                   static_cast<off_t>(state_->offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("write " + state_->path.string(), errno);
    // Hashed as far as it was written, so that offset, content and hash always agree.
    state_->hasher.update(bytes.subspan(done, static_cast<std::size_t>(count)));
    state_->offset += static_cast<std::uint64_t>(count);
    done += static_cast<std::size_t>(count);
  }
  if (state_->offset - state_->synced >= kSyncStep) {
    if (::fdatasync(state_->fd.get()) != 0) state_->give_up_after_failed_sync();
    state_->synced = state_->offset;
  }
}

void BlobStore::Partial::restart() {
  state_->clear();
}

void BlobStore::Partial::commit(std::uint64_t expected_size) {
  State& state = *state_;
  if (state.offset != expected_size) {
    const std::uint64_t found = state.offset;
    state.clear();
    throw Error(ExitCode::verification, fmt::format("{}: {} bytes were wanted, {} came",
                                                    state.digest.str(), expected_size, found));
  }
  const Digest found = state.hasher.finish();
  if (found != state.digest) {
    state.clear();
    throw Error(ExitCode::verification,
                fmt::format("the content of {} ({} bytes) has digest {}", state.digest.str(),
                            expected_size, found.str()));
  }
  state.publish(state.root / "blobs" / found.algorithm() / found.hex());
}

Digest BlobStore::Partial::publish_as_found() {
  State& state = *state_;
  const Digest found = state.hasher.finish();
  state.publish(state.root / "blobs" / found.algorithm() / found.hex());
  return found;
}

BlobStore::BlobStore(std::filesystem::path root) : root_(std::move(root)) {
  make_folders(root_ / "blobs" / "sha256");
  make_folders(root_ / "partial");
}

std::filesystem::path BlobStore::path_of(const Digest& digest) const {
  return root_ / "blobs" / digest.algorithm() / digest.hex();
}

std::optional<std::uint64_t> BlobStore::find(const Digest& digest) const {
  const std::filesystem::path path = path_of(digest);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno("stat " + path.string(), errno);
  }
  if (!S_ISREG(status.st_mode))
    throw Error(ExitCode::disk, path.string() + " is not a regular file",
                "remove it and run the command again");
  return static_cast<std::uint64_t>(status.st_size);
}

std::uint64_t BlobStore::partial_size(const Digest& digest) const {
  std::error_code absent;
  const auto size = std::filesystem::file_size(partial_path(root_, digest), absent);
  return absent ? 0 : size;
}

std::unique_ptr<Source> BlobStore::open(const Digest& digest, std::uint64_t offset) const {
  const std::filesystem::path path = path_of(digest);
  UniqueFd fd = open_file(path, O_RDONLY | O_NOFOLLOW);
  if (::lseek(fd.get(), static_cast<off_t>(offset), SEEK_SET) < 0)
    throw_errno("seek in " + path.string(), errno);
  return std::make_unique<FdSource>(std::move(fd), path.string());
}

std::string BlobStore::read(const Digest& digest, std::uint64_t limit) const {
  const auto size = find(digest);
  if (!size) throw Error(ExitCode::verification, digest.str() + " is not in " + root_.string());
  if (*size > limit)
    throw Error(ExitCode::verification, fmt::format("{} has {} bytes; at most {} are read in one "
                                                    "piece",
                                                    path_of(digest).string(), *size, limit));
  VerifyingSource source(open(digest), digest, *size, path_of(digest).string());
  return read_all(source, limit, path_of(digest).string());
}

std::optional<std::string> BlobStore::read_if_sound(const Digest& digest, std::uint64_t size,
                                                    std::uint64_t limit) {
  if (find(digest) != size) return std::nullopt;
  try {
    return read(digest, limit);
  } catch (const Error& error) {
    if (error.code() != ExitCode::verification) throw;
    remove(digest);
    return std::nullopt;
  }
}

void BlobStore::put(const Digest& digest, std::string_view bytes) {
  Hasher hasher(digest.algorithm());
  hasher.update(bytes);
  if (const Digest found = hasher.finish(); found != digest)
    throw Error(ExitCode::verification,
                fmt::format("{} was wanted, the content has {}", digest.str(), found.str()));
  make_folders(path_of(digest).parent_path());
  write_file(path_of(digest), bytes);
}

void BlobStore::remove(const Digest& digest) {
  const std::filesystem::path path = path_of(digest);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove " + path.string(), errno);
}

BlobStore::Partial BlobStore::open_partial(const Digest& digest) {
  auto state = std::make_unique<Partial::State>();
  state->root = root_;
  state->path = partial_path(root_, digest);
  state->digest = digest;
  state->hasher = Hasher(digest.algorithm());
  std::optional<UniqueFd> fd;
  while (!(fd = open_locked(state->path))) throw_if_interrupted();
  state->fd = std::move(*fd);
  state->hash_existing();
  return Partial(std::move(state));
}

}  // namespace kbundle
