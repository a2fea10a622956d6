#include "core/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "core/error.hpp"

namespace kbundle {
namespace {

constexpr std::string_view kTemporaryMark = ".kbundle-";

std::size_t read_some(int fd, std::span<std::byte> buffer, const std::string& name) {
  for (;;) {
    const auto count = ::read(fd, buffer.data(), buffer.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw_errno("read " + name, errno);
  }
}

void write_all_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset,
                  const std::string& name) {
  while (!bytes.empty()) {
    const auto count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_errno("write " + name, errno);
    }
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) reset(other.release());
  return *this;
}

int UniqueFd::release() noexcept {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void UniqueFd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

UniqueFd open_file(const std::filesystem::path& path, int flags, mode_t mode) {
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return UniqueFd(fd);
    if (errno == EINTR) continue;
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    throw_errno("open " + path.string(), errno, writes ? ExitCode::disk : ExitCode::usage);
  }
}

FdSource FdSource::open(const std::filesystem::path& path) {
  return FdSource(open_file(path, O_RDONLY), path.string());
}

std::size_t FdSource::read(std::span<std::byte> buffer) {
  return read_some(fd_.get(), buffer, name_);
}

void FdSink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto count = ::write(fd_, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_errno("write " + name_, errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

FileRandomSource::FileRandomSource(UniqueFd fd, std::uint64_t size, std::string name)
    : fd_(std::move(fd)), size_(size), name_(std::move(name)) {}

FileRandomSource FileRandomSource::open(const std::filesystem::path& path) {
  auto fd = open_file(path, O_RDONLY);
  struct stat status = {};
  if (fstat(fd.get(), &status) != 0) throw_errno("look at " + path.string(), errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ExitCode::usage, path.string() + " is not a regular file");
  }
  return FileRandomSource(std::move(fd), static_cast<std::uint64_t>(status.st_size), path.string());
}

std::size_t FileRandomSource::read_at(std::uint64_t offset, std::span<std::byte> buffer) const {
  for (;;) {
    const auto count = ::pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw_errno("read " + name_, errno);
  }
}

AtomicFile::AtomicFile(std::filesystem::path target, mode_t mode) : target_(std::move(target)) {
  const auto folder = folder_of(target_);
  std::string name =
      (folder / ("." + target_.filename().string() + std::string(kTemporaryMark) + "XXXXXX"))
          .string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) throw_errno("make a file in " + folder.string(), errno);
  fd_.reset(fd);
  temporary_ = name;
  // Held while the writer lives, so that another run can tell a stale temporary from one in use.
  ::flock(fd, LOCK_SH | LOCK_NB);
  if (fchmod(fd, mode) != 0) {
    const int why = errno;
    ::unlink(name.c_str());
    throw_errno("set the mode of " + name, why);
  }
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_all_at(fd_.get(), bytes, position_, target_.string());
  position_ += bytes.size();
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  write_all_at(fd_.get(), bytes, offset, target_.string());
}

void AtomicFile::seek(std::uint64_t offset) {
  position_ = offset;
}

void AtomicFile::commit() {
  if (::fsync(fd_.get()) != 0) throw_errno("write " + target_.string() + " to disk", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    throw_errno("put " + target_.string() + " in place", errno);
  }
  temporary_.clear();
  fsync_folder(folder_of(target_));
  fd_.reset();
}

std::optional<std::string> read_file_if_exists(const std::filesystem::path& path,
                                               std::uint64_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    throw_errno("open " + path.string(), errno, ExitCode::usage);
  }
  FdSource source(UniqueFd(fd), path.string());
  return read_all(source, limit, path.string());
}

std::string read_file(const std::filesystem::path& path, std::uint64_t limit) {
  auto content = read_file_if_exists(path, limit);
  if (!content) throw Error(ExitCode::usage, "there is no file " + path.string());
  return *std::move(content);
}

void write_file(const std::filesystem::path& path, std::string_view content, mode_t mode) {
  AtomicFile file(path, mode);
  file.write(content);
  file.commit();
}

void make_folders(const std::filesystem::path& path, mode_t mode) {
  if (path.empty() || std::filesystem::is_directory(path)) return;
  const auto parent = folder_of(path);
  if (parent != path) make_folders(parent, mode);
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST && std::filesystem::is_directory(path)) return;
    throw_errno("make the folder " + path.string(), errno);
  }
  fsync_folder(parent);
}

void fsync_folder(const std::filesystem::path& path) {
  const auto fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0 && errno != EINVAL) {
    throw_errno("write the folder " + path.string() + " to disk", errno);
  }
}

std::uint64_t remove_stale_temporaries(const std::filesystem::path& folder) {
  std::uint64_t freed = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const auto mark = name.rfind(kTemporaryMark);
    if (name[0] != '.' || mark == std::string::npos ||
        name.size() != mark + kTemporaryMark.size() + 6 || !entry.is_regular_file(ignored)) {
      continue;
    }
    UniqueFd fd(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;  // its writer lives
    const auto size = entry.file_size(ignored);
    if (::unlink(entry.path().c_str()) == 0) freed += size;
  }
  return freed;
}

}  // namespace kbundle
