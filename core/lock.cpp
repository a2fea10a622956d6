#include "core/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

// Not when its last holder removed it between our open and our lock: the next one locks another
// file.
bool is_named(int fd, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

ProcessLock::ProcessLock(const std::filesystem::path& path, bool inherit) {
  make_folders(path.parent_path());
  do {
    fd_ = open_file(path, O_RDWR | O_CREAT, 0644);
    take(path);
  } while (!is_named(fd_.get(), path));
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd_.get(), 0) != 0) throw_errno("write " + path.string(), errno);
  FdSink(fd_.get(), path.string()).write(pid);
  if (inherit) fcntl(fd_.get(), F_SETFD, 0);
}

void ProcessLock::take(const std::filesystem::path& path) {
  if (flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw_errno("lock " + path.string(), errno);
    const auto holder = read_file_if_exists(path, 64);
    const std::string pid = holder ? std::string(trim(*holder)) : std::string();
    throw Error(ExitCode::busy,
                "another kbundle is at work: process " +
                    (pid.empty() ? std::string("(unknown)") : printable(pid)) + " holds " +
                    path.string(),
                "wait until it has ended and run the same command again");
  }
}

}  // namespace kbundle
