#include "registry/proxy.hpp"

#include <vector>

#include "core/text.hpp"
#include "registry/environment.hpp"

namespace kbundle {
namespace {

bool excepted(const Url& url) {
  std::string list = environment("no_proxy");
  if (list.empty()) list = environment("NO_PROXY");
  std::string host = url.host();
  if (const std::size_t colon = host.rfind(':'); colon != std::string::npos && host.back() != ']')
    host.resize(colon);
  for (const std::string& entry : split(list, ',')) {
    std::string_view name = trim(entry);
    if (name == "*") return true;
    if (name.starts_with('.')) name.remove_prefix(1);
    if (name.empty()) continue;
    if (host == name || host.ends_with("." + std::string(name))) return true;
  }
  return false;
}

// Without scheme, user information and path.
std::string shown(std::string_view proxy) {
  if (const std::size_t scheme = proxy.find("://"); scheme != std::string_view::npos)
    proxy.remove_prefix(scheme + 3);
  if (const std::size_t at = proxy.rfind('@'); at != std::string_view::npos)
    proxy.remove_prefix(at + 1);
  return printable(proxy.substr(0, proxy.find('/')));
}

}  // namespace

std::optional<Proxy> proxy_for(const Url& url) {
  if (excepted(url)) return std::nullopt;
  // libcurl does not read HTTP_PROXY: a CGI program's client could set it.
  const std::vector<const char*> names =
      url.is_https()
          ? std::vector<const char*>{"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}
          : std::vector<const char*>{"http_proxy", "all_proxy", "ALL_PROXY"};
  for (const char* name : names) {
    if (const std::string value = environment(name); !value.empty())
      return Proxy{name, shown(value)};
  }
  return std::nullopt;
}

}  // namespace kbundle
