// What the registry answers to a request, before any of it is sent. No sockets here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/stream.hpp"
#include "registry/server.hpp"
#include "registry/server_routes.hpp"

namespace kbundle {

/// The parts of a request that matter here; views into it.
struct RegistryRequest {
  std::string_view method, target;
  std::string_view range, if_range, if_none_match;  ///< headers; or empty
};

struct RegistryAnswer {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< without Content-Length
  std::string body{};
  std::unique_ptr<Source> blob{};  ///< or the body comes from here
  std::uint64_t length = 0;        ///< of the body, also where it is not sent (HEAD)

  /// The status line and all headers, with the empty line behind them.
  std::string head(bool keep_alive) const;
};

RegistryAnswer answer_request(const RegistryContent& content, const RegistryRequest& request);
RegistryAnswer answer_failure(const RegistryFailure& failure);

}  // namespace kbundle
