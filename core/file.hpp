// Files: descriptors that close themselves, streams over them, and the one way a file is published
// (temporary beside the target, fsync, rename, fsync of the folder).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/stream.hpp"

namespace kbundle {

/// Owns a file descriptor; -1 is empty.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { reset(); }
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept;
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// open(2) with O_CLOEXEC; throws Error naming the path.
UniqueFd open_file(const std::filesystem::path& path, int flags, mode_t mode = 0);

/// Reads a descriptor from its current position.
class FdSource final : public Source {
 public:
  FdSource(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  static FdSource open(const std::filesystem::path& path);
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  UniqueFd fd_;
  std::string name_;
};

/// Writes to a descriptor it does not own; short writes and EINTR are continued.
class FdSink final : public Sink {
 public:
  FdSink(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  using Sink::write;
  void write(std::span<const std::byte> bytes) override;

 private:
  int fd_;
  std::string name_;
};

/// A regular file opened once and read at offsets (pread).
class FileRandomSource final : public RandomSource {
 public:
  static FileRandomSource open(const std::filesystem::path& path);
  std::uint64_t size() const override { return size_; }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> buffer) const override;
  const std::string& name() const { return name_; }
  int fd() const { return fd_.get(); }

 private:
  FileRandomSource(UniqueFd fd, std::uint64_t size, std::string name);
  UniqueFd fd_;
  std::uint64_t size_;
  std::string name_;
};

/// A file that appears whole or not at all: written to a hidden temporary in the target's folder,
/// then fsync, rename and fsync of the folder in commit(). Without commit() the temporary goes.
class AtomicFile final : public Sink {
 public:
  explicit AtomicFile(std::filesystem::path target, mode_t mode = 0644);
  ~AtomicFile() override;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  using Sink::write;
  void write(std::span<const std::byte> bytes) override;
  /// Writes at an absolute offset, for a head that is known last.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Moves the write position (a hole reads as zeros).
  void seek(std::uint64_t offset);
  std::uint64_t position() const { return position_; }
  int fd() const { return fd_.get(); }
  const std::filesystem::path& temporary() const { return temporary_; }
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  UniqueFd fd_;
  std::uint64_t position_ = 0;
};

/// The whole file; larger than `limit` is an Error. nullopt when it does not exist.
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path,
                                               std::uint64_t limit = 16U << 20U);
/// As above, but absence is an Error{usage}.
std::string read_file(const std::filesystem::path& path, std::uint64_t limit = 16U << 20U);

/// AtomicFile in one call.
void write_file(const std::filesystem::path& path, std::string_view content, mode_t mode = 0644);

/// mkdir -p; the folders it makes get `mode` and are fsynced into their parents.
void make_folders(const std::filesystem::path& path, mode_t mode = 0755);
void fsync_folder(const std::filesystem::path& path);

/// Removes what a killed run left (".NAME.kbundle-XXXXXX") in one folder, if its writer is gone.
/// Returns the bytes freed.
std::uint64_t remove_stale_temporaries(const std::filesystem::path& folder);

}  // namespace kbundle
