#include "installer/runtimes/containerd_content.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/rooted_tree.hpp"

namespace kbundle {
namespace {

// Unnamed; -1 inside where the file system or the kernel has none.
UniqueFd unnamed_file(int folder) {
  return UniqueFd(::openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
}

}  // namespace

std::string unfit_for_incoming_blobs(const ContainerdAccess& access) {
  const auto store = access.host.at(content_store(access));
  const UniqueFd folder(::open(store.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return "containerd keeps its content elsewhere than in " + store.string();
  if (!unnamed_file(folder.get()))
    return "the file system of " + store.string() + " makes no unnamed files";
  return {};
}

IncomingBlob::IncomingBlob(const ContainerdAccess& access, Digest digest, std::uint64_t size)
    : access_(access), digest_(std::move(digest)), size_(size) {
  const auto path = access.host.at(content_store(access) + "/blobs/sha256");
  make_folders(path);
  folder_ = open_file(path, O_RDONLY | O_DIRECTORY);
  file_ = unnamed_file(folder_.get());
  if (!file_) throw_errno("make a file in " + path.string(), errno);
}

void IncomingBlob::write(std::span<const std::byte> bytes) {
  FdSink(file_.get(), "the blob " + digest_.short_hex() + " of containerd").write(bytes);
  written_ += bytes.size();
}

void IncomingBlob::publish() {
  const std::string name = digest_.hex();
  const std::string self = "/proc/self/fd/" + std::to_string(file_.get());
  // As containerd leaves them.
  int result = ::fchmod(file_.get(), 0444);
  if (result == 0)
    result = ::linkat(AT_FDCWD, self.c_str(), folder_.get(), name.c_str(), AT_SYMLINK_FOLLOW);
  if (result != 0 && errno == EEXIST) {
    // Of a load that was killed, maybe by a power cut: it may be any bytes.
    remove_all_at(folder_.get(), name);
    result = ::linkat(AT_FDCWD, self.c_str(), folder_.get(), name.c_str(), AT_SYMLINK_FOLLOW);
  }
  if (result != 0) throw_errno("put the blob " + digest_.short_hex() + " into containerd", errno);
}

void IncomingBlob::record() {
  if (written_ != size_)
    throw Error(ExitCode::verification, "the blob " + digest_.str() + " has " +
                                            std::to_string(written_) + " of " +
                                            std::to_string(size_) + " bytes");
  publish();
  // ctr seeks in its input to behind what the store has: all of it. That needs a file, which a
  // pipe from kbundle is not. By the descriptor, so that it is there even when the collector took
  // the name away in between; then ctr brings the bytes.
  const std::string input =
      "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file_.get());
  const auto argv =
      ctr_argv(access_, {"content", "ingest", "--expected-size", std::to_string(size_),
                         "--expected-digest", digest_.str(), "kbundle-" + digest_.hex()});
  access_.host.run_checked({.argv = {"sh", "-c", "exec " + to_shell(argv) + " <" + input}});
}

}  // namespace kbundle
