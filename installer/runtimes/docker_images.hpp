// What Docker prints, parsed.
#pragma once

#include <string>
#include <vector>

#include "installer/runtimes/runtime.hpp"

namespace kbundle {

/// From `docker images --no-trunc`, lines of "REPOSITORY:TAG ID". The digest is the image's id,
/// that of its config.
std::vector<RuntimeImage> parse_docker_images(const std::string& list);

}  // namespace kbundle
