#include "core/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {

ProcessLock::ProcessLock(const std::filesystem::path& path, bool inherit) {
  make_folders(path.parent_path());
  fd_ = open_file(path, O_RDWR | O_CREAT, 0644);
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
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd_.get(), 0) != 0) throw_errno("write " + path.string(), errno);
  FdSink(fd_.get(), path.string()).write(pid);
  if (inherit) fcntl(fd_.get(), F_SETFD, 0);
}

}  // namespace kbundle
