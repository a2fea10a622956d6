// One client's connection: requests read one after the other, each answered before the next.
#pragma once

// clang-format off: asio's coroutines of Boost 1.74 use std::exchange without including it.
#include <utility>
// clang-format on

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <optional>

#include "registry/server.hpp"
#include "registry/server_passwords.hpp"

namespace kbundle {

/// What all connections of a server share. Outlives them.
struct ServerShared {
  const RegistryContent& content;
  const ServerOptions& options;
  std::optional<PasswordFile> passwords{};
  std::optional<boost::asio::ssl::context> tls{};
  /// Passwords are hashed here, one at a time: guessing costs others little and goes slowly.
  std::optional<boost::asio::thread_pool> hashing{std::in_place, 1};
  std::atomic<bool> stopping = false;
  std::atomic<std::size_t> answering = 0;  ///< requests under way
};

/// Serves until the client leaves, is idle or stalls for options.idle_timeout, or the server
/// stops. The socket's executor is a strand. Throws nothing.
boost::asio::awaitable<void> serve_connection(boost::asio::ip::tcp::socket socket,
                                              ServerShared& shared);

}  // namespace kbundle
