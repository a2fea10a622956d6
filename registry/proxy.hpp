// The proxy that libcurl takes from the environment for a URL, for error messages.
#pragma once

#include <optional>
#include <string>

#include "registry/url.hpp"

namespace kbundle {

struct Proxy {
  std::string variable;  ///< "https_proxy"
  std::string shown;     ///< without user information
};

/// nullopt when the URL is fetched without one.
std::optional<Proxy> proxy_for(const Url& url);

}  // namespace kbundle
