#include "registry/server.hpp"

// clang-format off: asio's coroutines of Boost 1.74 use std::exchange without including it.
#include <utility>
// clang-format on

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "registry/server_connection.hpp"

namespace kbundle {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kLookInterval = 100ms;
constexpr unsigned kLeastThreads = 4;      // one that waits for a slow medium holds up few others
constexpr std::chrono::seconds kGrace{5};  // for answers under way when a stop is asked for

tcp::endpoint parse_endpoint(const ServerOptions& options) {
  error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error)
    throw Error(ExitCode::usage,
                "\"" + printable(options.address) + "\" is not an IPv4 or IPv6 address",
                "listen on one of this host's addresses, on 0.0.0.0 or on [::]");
  return {address, options.port};
}

std::string endpoint_text(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

asio::ssl::context read_tls(const ServerOptions& options) {
  asio::ssl::context tls(asio::ssl::context::tls_server);
  tls.set_options(asio::ssl::context::default_workarounds);
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_mode(tls.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  error_code error;
  const auto refuse = [&](const std::filesystem::path& path, const char* wanted) {
    if (!error) return;
    throw Error(ExitCode::usage,
                printable(path.string()) + " is not " + wanted + ": " + error.message(),
                "name a PEM certificate (with its chain) and the private key that fits it");
  };
  tls.use_certificate_chain_file(options.tls_certificate.string(), error);
  refuse(options.tls_certificate, "a certificate");
  tls.use_private_key_file(options.tls_key.string(), asio::ssl::context::pem, error);
  refuse(options.tls_key, "the certificate's private key");
  return tls;
}

[[noreturn]] void refuse_listen(const error_code& error, const std::string& where) {
  if (error == asio::error::address_in_use)
    throw Error(ExitCode::busy, where + " is taken by another program",
                "stop that one (`ss -ltnp` names it), or listen on another port");
  if (error == asio::error::access_denied)
    throw Error(ExitCode::usage, "listening on " + where + " is not allowed: " + error.message(),
                "listen on a port above 1023, or as root");
  throw Error(ExitCode::usage, "cannot listen on " + where + ": " + error.message(),
              "listen on one of this host's addresses, on 0.0.0.0 or on [::]");
}

}  // namespace

struct RegistryServer::Impl {
  Impl(const RegistryContent& content, ServerOptions given)
      : options(std::move(given)), shared{content, options} {}

  void listen() {
    const auto endpoint = parse_endpoint(options);
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
    if (error) refuse_listen(error, endpoint_text(endpoint));
    where = endpoint_text(acceptor.local_endpoint());
  }

  asio::awaitable<void> accept() {
    asio::steady_timer pause(context);
    while (!shared.stopping) {
      error_code error;
      if (connections >= options.connections) {
        pause.expires_after(10ms);
        co_await pause.async_wait(asio::redirect_error(use_awaitable, error));
        continue;
      }
      tcp::socket socket(asio::make_strand(context));
      co_await acceptor.async_accept(socket, asio::redirect_error(use_awaitable, error));
      if (shared.stopping) break;
      if (error) {  // out of descriptors, or the client is gone again
        pause.expires_after(10ms);
        co_await pause.async_wait(asio::redirect_error(use_awaitable, error));
        continue;
      }
      ++connections;
      const auto strand = socket.get_executor();
      asio::co_spawn(strand, serve_connection(std::move(socket), shared),
                     [this](std::exception_ptr) { --connections; });
    }
  }

  // Signals only set a flag (core/interrupt.hpp); this looks at it.
  asio::awaitable<void> watch() {
    asio::steady_timer pause(context);
    while (!shared.stopping) {
      pause.expires_after(kLookInterval);
      co_await pause.async_wait(use_awaitable);
      if (stop_requested()) shared.stopping = true;
    }
    error_code ignored;
    acceptor.close(ignored);
    const auto end = std::chrono::steady_clock::now() + kGrace;
    while (shared.answering > 0 && std::chrono::steady_clock::now() < end) {
      pause.expires_after(20ms);
      co_await pause.async_wait(use_awaitable);
    }
    context.stop();
  }

  ServerOptions options;
  ServerShared shared;
  std::atomic<std::size_t> connections = 0;
  asio::io_context context;  // goes first: its coroutines use what stands above
  asio::strand<asio::io_context::executor_type> accepting = asio::make_strand(context);
  tcp::acceptor acceptor{accepting};
  std::string where;
};

RegistryServer::RegistryServer(const RegistryContent& content, ServerOptions options)
    : impl_(std::make_unique<Impl>(content, std::move(options))) {
  Impl& impl = *impl_;
  if (!impl.options.password_file.empty())
    impl.shared.passwords = PasswordFile::read(impl.options.password_file);
  if (!impl.options.tls_certificate.empty()) impl.shared.tls = read_tls(impl.options);
  impl.listen();
}

RegistryServer::~RegistryServer() = default;

std::string RegistryServer::address() const {
  return impl_->where;
}

void RegistryServer::run() {
  Impl& impl = *impl_;
  asio::co_spawn(impl.accepting, impl.accept(), asio::detached);
  asio::co_spawn(impl.accepting, impl.watch(), asio::detached);
  const std::size_t wanted = impl.options.threads > 0
                                 ? impl.options.threads
                                 : std::max(kLeastThreads, std::thread::hardware_concurrency());
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < wanted; ++i) threads.emplace_back([&impl] { impl.context.run(); });
  impl.context.run();
  threads.clear();
  // Checks that still wait hold their connections, which belong to the context: they go before it.
  impl.shared.hashing->stop();
  impl.shared.hashing.reset();
}

void RegistryServer::stop() {
  impl_->shared.stopping = true;
}

}  // namespace kbundle
