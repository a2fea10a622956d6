#include "registry/containerd_credentials.hpp"

#include <toml++/toml.h>

#include <string>

namespace kbundle {
namespace {

// The plugin's name in config.toml versions 1, 2 and 3.
constexpr const char* kPlugins[] = {"cri", "io.containerd.grpc.v1.cri",
                                    "io.containerd.cri.v1.images"};

}  // namespace

Json containerd_auths(std::string_view config_toml) {
  Json auths = Json::object();
  try {
    const toml::table document = toml::parse(config_toml);
    for (const char* plugin : kPlugins) {
      const auto* configs = document["plugins"][plugin]["registry"]["configs"].as_table();
      if (configs == nullptr) continue;
      for (const auto& [host, config] : *configs) {
        if (!config.is_table()) continue;
        for (const char* key : {"username", "password", "auth", "identitytoken"}) {
          const auto value = (*config.as_table())["auth"][key].value<std::string>();
          if (value && !value->empty()) auths[std::string(host.str())][key] = *value;
        }
      }
    }
  } catch (const toml::parse_error&) {
    return {{"auths", Json::object()}};
  }
  return {{"auths", std::move(auths)}};
}

}  // namespace kbundle
