#include "core/error.hpp"

#include <cerrno>
#include <cstring>

namespace kbundle {

void throw_errno(const std::string& action, int error_number, ExitCode fallback) {
  const std::string message = "cannot " + action + ": " + std::strerror(error_number);
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      throw Error(ExitCode::disk, message,
                  "free some space on that file system and run the same command again");
    case EROFS:
      throw Error(ExitCode::disk, message, "the file system is mounted read-only");
    case EIO:
      throw Error(ExitCode::disk, message,
                  "the device reports an input/output error; see `dmesg`, use another one");
    case EMFILE:
    case ENFILE:
      throw Error(fallback, message, "the limit of open files is too low: `ulimit -n 1024`");
    case ENOMEM:
      throw Error(fallback, message, "there is not enough memory");
    case EACCES:
    case EPERM:
      throw Error(fallback, message, "run it as a user who may do this (root?)");
    default:
      throw Error(fallback, message);
  }
}

}  // namespace kbundle
