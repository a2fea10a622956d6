#include "core/user_folders.hpp"

#include <cstdlib>

#include "core/error.hpp"

namespace kbundle {
namespace {

std::filesystem::path user_folder(const char* variable, const char* below_home) {
  // The specification has relative paths ignored.
  const char* folder = std::getenv(variable);
  if (folder != nullptr && *folder == '/') return std::filesystem::path(folder) / "kbundle";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') {
    return std::filesystem::path(home) / below_home / "kbundle";
  }
  throw Error(ExitCode::usage, "HOME is not set, so there is no place for kbundle's files",
              std::string("set HOME or ") + variable);
}

}  // namespace

std::filesystem::path user_config_folder() {
  return user_folder("XDG_CONFIG_HOME", ".config");
}

std::filesystem::path user_cache_folder() {
  return user_folder("XDG_CACHE_HOME", ".cache");
}

}  // namespace kbundle
