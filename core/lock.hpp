// One writer at a time: an flock(2) on a file that holds the holder's pid.
#pragma once

#include <filesystem>

#include "core/file.hpp"

namespace kbundle {

class ProcessLock {
 public:
  /// Takes the lock or throws Error{busy} naming the holder's pid. A dead holder's lock is free
  /// by itself. The descriptor is inherited by children (no O_CLOEXEC) when `inherit` is set, so
  /// that an orphan of a killed kbundle still holds it.
  explicit ProcessLock(const std::filesystem::path& path, bool inherit = false);

 private:
  void take(const std::filesystem::path& path);
  UniqueFd fd_;
};

}  // namespace kbundle
