#include "installer/etcd_client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "installer/network.hpp"

namespace kbundle {
namespace {

using TlsContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Tls = std::unique_ptr<SSL, decltype(&SSL_free)>;

constexpr int kConnectMilliseconds = 5000;
constexpr int kAnswerSeconds = 10;
constexpr std::size_t kMostBytes = 1U << 20U;

// What is wrong, as words for people; caught in ask().
struct Trouble {
  std::string text;
};

[[noreturn]] void tls_trouble(const std::string& what) {
  const unsigned long code = ERR_get_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  throw Trouble{what + (reason != nullptr ? std::string(": ") + reason : "")};
}

std::string in_url(const std::string& host) {
  return host.find(':') != std::string::npos ? "[" + host + "]" : host;
}

// An address, asked of the host's own resolver where it is a name: this program may be linked
// statically.
std::string address_of(const Host& host, const std::string& name) {
  if (is_ip_address(name)) return name;
  const auto answer =
      host.run({.argv = {"getent", "ahosts", name}, .timeout = std::chrono::seconds(10)});
  const std::string first = split(split(answer.output, '\n').at(0), ' ').at(0);
  if (!answer.ok() || !is_ip_address(first))
    throw Trouble{"the name " + printable(name) + " does not resolve"};
  return first;
}

UniqueFd connect_to(const std::string& address, int port) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (address.find(':') != std::string::npos) {
    auto* to = reinterpret_cast<sockaddr_in6*>(&storage);
    to->sin6_family = AF_INET6;
    to->sin6_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET6, address.c_str(), &to->sin6_addr);
    size = sizeof *to;
  } else {
    auto* to = reinterpret_cast<sockaddr_in*>(&storage);
    to->sin_family = AF_INET;
    to->sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, address.c_str(), &to->sin_addr);
    size = sizeof *to;
  }
  UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) throw Trouble{std::string("no socket: ") + std::strerror(errno)};
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    if (errno != EINPROGRESS) throw Trouble{std::strerror(errno)};
    pollfd wait{fd.get(), POLLOUT, 0};
    if (::poll(&wait, 1, kConnectMilliseconds) != 1) throw Trouble{"no connection within 5 s"};
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) throw Trouble{std::strerror(error)};
  }
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  const timeval limit{kAnswerSeconds, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return fd;
}

TlsContext make_context(const Host& host, const EtcdCredentials& credentials) {
  TlsContext context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (!context) tls_trouble("TLS cannot be set up");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const bool trusts =
      credentials.ca_file.empty()
          ? SSL_CTX_set_default_verify_paths(context.get()) == 1
          : SSL_CTX_load_verify_file(context.get(), host.at(credentials.ca_file).c_str()) == 1;
  if (!trusts) tls_trouble("the CA file " + credentials.ca_file + " cannot be used");
  if (credentials.cert_file.empty()) return context;
  if (SSL_CTX_use_certificate_chain_file(context.get(), host.at(credentials.cert_file).c_str()) !=
      1)
    tls_trouble("the certificate " + credentials.cert_file + " cannot be used");
  if (SSL_CTX_use_PrivateKey_file(context.get(), host.at(credentials.key_file).c_str(),
                                  SSL_FILETYPE_PEM) != 1)
    tls_trouble("the key " + credentials.key_file + " cannot be used");
  return context;
}

Tls shake_hands(SSL_CTX* context, int fd, const std::string& name) {
  Tls tls(SSL_new(context), &SSL_free);
  if (!tls || SSL_set_fd(tls.get(), fd) != 1) tls_trouble("TLS cannot be set up");
  if (is_ip_address(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls.get()), name.c_str());
  } else {
    SSL_set1_host(tls.get(), name.c_str());
    SSL_set_tlsext_host_name(tls.get(), name.c_str());
  }
  if (SSL_connect(tls.get()) == 1) return tls;
  if (const long verdict = SSL_get_verify_result(tls.get()); verdict != X509_V_OK) {
    ERR_clear_error();
    throw Trouble{std::string("its certificate does not hold: ") +
                  X509_verify_cert_error_string(verdict)};
  }
  tls_trouble("no TLS connection");
}

// Until the other side closes; HTTP/1.0 has no other end.
template <typename Read>
std::string read_all(Read&& read) {
  std::string text;
  char buffer[16384];
  while (text.size() < kMostBytes) {
    const auto got = read(buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

std::string exchange(SSL* tls, int fd, const std::string& request) {
  if (tls == nullptr) {
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      throw Trouble{"the connection was cut"};
    return read_all([&](char* to, std::size_t size) { return ::recv(fd, to, size, 0); });
  }
  if (SSL_write(tls, request.data(), static_cast<int>(request.size())) <= 0)
    tls_trouble("the connection was cut");
  auto text = read_all(
      [&](char* to, std::size_t size) { return SSL_read(tls, to, static_cast<int>(size)); });
  // TLS 1.3 tells only now that it does not take our certificate.
  if (text.empty()) tls_trouble("no answer");
  return text;
}

EtcdAnswer parse_answer(const std::string& text) {
  EtcdAnswer answer;
  const auto body = text.find("\r\n\r\n");
  const auto space = text.find(' ');
  if (!text.starts_with("HTTP/1.") || body == std::string::npos || space == std::string::npos)
    throw Trouble{"what answers there does not speak HTTP"};
  std::from_chars(text.data() + space + 1, text.data() + body, answer.status);
  answer.body = text.substr(body + 4);
  return answer;
}

}  // namespace

EtcdCredentials EtcdCredentials::of_kubeadm() {
  const std::string folder = "/etc/kubernetes/pki/etcd/";
  return {folder + "ca.crt", folder + "healthcheck-client.crt", folder + "healthcheck-client.key"};
}

EtcdEndpoint EtcdEndpoint::parse(const std::string& url) {
  const auto wrong = [&]() -> Error {
    return {ExitCode::usage,
            "\"" + printable(url) + "\" is no endpoint of etcd: wanted https://HOST:PORT"};
  };
  EtcdEndpoint endpoint;
  std::string rest;
  if (url.starts_with("https://")) {
    rest = url.substr(8);
  } else if (url.starts_with("http://")) {
    rest = url.substr(7);
    endpoint.tls = false;
  } else {
    throw wrong();
  }
  while (rest.ends_with('/')) rest.pop_back();
  const auto bracket = rest.find(']');
  const auto colon = rest.rfind(':');
  const bool has_port =
      colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  if (has_port) {
    const char* last = rest.data() + rest.size();
    const auto [end, error] = std::from_chars(rest.data() + colon + 1, last, endpoint.port);
    if (error != std::errc() || end != last || endpoint.port < 1 || endpoint.port > 65535)
      throw wrong();
    rest.resize(colon);
  } else {
    endpoint.port = endpoint.tls ? 443 : 80;
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty() || rest.find_first_of("/ @?#[]") != std::string::npos) throw wrong();
  endpoint.host = rest;
  return endpoint;
}

EtcdAnswer EtcdClient::get(const std::string& url, const std::string& path) const {
  return ask(url, "GET " + path + " HTTP/1.0\r\n", {});
}

EtcdAnswer EtcdClient::post(const std::string& url, const std::string& path,
                            const std::string& json) const {
  return ask(url,
             "POST " + path + " HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: " +
                 std::to_string(json.size()) + "\r\n",
             json);
}

EtcdAnswer EtcdClient::ask(const std::string& url, const std::string& head,
                           const std::string& body) const {
  try {
    const EtcdEndpoint endpoint = EtcdEndpoint::parse(url);
    const UniqueFd fd = connect_to(address_of(host_, endpoint.host), endpoint.port);
    const std::string request = head + "Host: " + in_url(endpoint.host) + ":" +
                                std::to_string(endpoint.port) + "\r\n\r\n" + body;
    if (!endpoint.tls) return parse_answer(exchange(nullptr, fd.get(), request));
    const TlsContext context = make_context(host_, credentials_);
    const Tls tls = shake_hands(context.get(), fd.get(), endpoint.host);
    return parse_answer(exchange(tls.get(), fd.get(), request));
  } catch (const Trouble& trouble) {
    return {0, {}, trouble.text};
  } catch (const Error& error) {
    if (error.code() == ExitCode::interrupted) throw;
    return {0, {}, error.message()};
  }
}

}  // namespace kbundle
