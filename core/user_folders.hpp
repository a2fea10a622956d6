// Where a user's files of kbundle lie, by the XDG base directory specification 0.8.
#pragma once

#include <filesystem>

namespace kbundle {

/// $XDG_CONFIG_HOME/kbundle, else ~/.config/kbundle. Error{usage} when HOME is not set either.
std::filesystem::path user_config_folder();
/// $XDG_CACHE_HOME/kbundle, else ~/.cache/kbundle.
std::filesystem::path user_cache_folder();

}  // namespace kbundle
