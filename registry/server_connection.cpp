#include "registry/server_connection.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"
#include "registry/server_answers.hpp"

namespace kbundle {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::use_awaitable;
using Parser = http::request_parser<http::empty_body>;
using ErrorCode = beast::error_code;

constexpr std::uint32_t kMaxHeader = 16 * 1024;
/// What a connection holds while it is sent a blob; one frame of a blob that is compressed already.
constexpr std::size_t kSendBuffer = 128 * 1024;
constexpr std::chrono::seconds kWrongPasswordDelay{1};
/// What a client may still send that was refused before its end (a PUT's body), so that it reads
/// the answer instead of a reset.
constexpr std::size_t kMaxUnread = 4U << 20U;
constexpr std::chrono::seconds kUnreadTime{2};

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

std::string_view header(const Parser& parser, http::field name) {
  return view(parser.get()[name]);
}

// Counts an answer under way.
class Busy {
 public:
  explicit Busy(std::atomic<std::size_t>& count) : count_(count) { ++count_; }
  ~Busy() { --count_; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::atomic<std::size_t>& count_;
};

// gcc 12 destroys some temporaries of an expression with co_await in it twice: what a coroutine is
// given here has a name, or is a plain value.
template <typename Stream>
class Connection {
 public:
  Connection(Stream& stream, ServerShared& shared, std::string client)
      : stream_(stream), shared_(shared), client_(std::move(client)) {}

  asio::awaitable<void> run() {
    bool more = true;
    while (more && !shared_.stopping) more = co_await serve_one();
  }

 private:
  void restart_timeout() {
    beast::get_lowest_layer(stream_).expires_after(shared_.options.idle_timeout);
  }

  // Whether another request may follow.
  asio::awaitable<bool> serve_one() {
    Parser parser;
    parser.header_limit(kMaxHeader);
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());  // none is read
    restart_timeout();
    ErrorCode error;
    co_await http::async_read_header(stream_, unread_, parser,
                                     asio::redirect_error(use_awaitable, error));
    const Busy busy(shared_.answering);
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      co_await refuse(431, "the request's header is too long");
      co_return false;
    }
    if (error && error.category() == make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      co_await refuse(400, "this is not an HTTP request");
      co_return false;
    }
    if (error) co_return false;
    const bool more = co_await answer(parser);
    co_return more;
  }

  asio::awaitable<void> refuse(unsigned status, const char* why) {
    note_request("-", "-");
    RegistryAnswer answer = failure(status, "UNSUPPORTED", why);
    co_await send(answer, true, false);
    co_await discard_unread();
  }

  asio::awaitable<bool> answer(const Parser& parser) {
    const auto& message = parser.get();
    note_request(view(message.method_string()), view(message.target()));
    const bool has_body = parser.chunked() || parser.content_length().value_or(0) > 0;
    const bool keep_alive = parser.keep_alive() && !has_body && !shared_.stopping;
    bool allowed = true;
    if (shared_.passwords) {
      const auto login = parse_basic(header(parser, http::field::authorization));
      if (login) allowed = co_await authorized(*login);
      if (!login) allowed = false;
    }
    RegistryAnswer answer = allowed ? make_answer(parser) : unauthorized();
    const bool with_body = served_.method != "HEAD";
    const bool sent = co_await send(answer, with_body, keep_alive);
    if (sent && has_body) co_await discard_unread();
    const bool more = sent && keep_alive;
    co_return more;
  }

  void note_request(std::string_view method, std::string_view target) {
    served_ = {client_, std::string(method), std::string(target), 0, 0};
  }

  static RegistryAnswer failure(unsigned status, const char* code, const char* message) {
    return answer_failure({status, code, message});
  }

  static RegistryAnswer unauthorized() {
    return failure(401, "UNAUTHORIZED", "a user and a password are needed");
  }

  RegistryAnswer make_answer(const Parser& parser) {
    try {
      return answer_request(shared_.content,
                            {.method = served_.method,
                             .target = served_.target,
                             .range = header(parser, http::field::range),
                             .if_range = header(parser, http::field::if_range),
                             .if_none_match = header(parser, http::field::if_none_match)});
    } catch (const Error& error) {
      return damaged(error);
    }
  }

  RegistryAnswer damaged(const Error& error) {
    if (shared_.options.on_damage) shared_.options.on_damage(served_, error);
    return failure(500, "UNKNOWN", "this content is damaged at the server");
  }

  asio::awaitable<bool> authorized(const UserPassword& login) {
    PasswordFile& passwords = *shared_.passwords;
    if (passwords.remembers(login)) co_return true;
    const auto hashing = shared_.hashing->get_executor();
    auto checking = check(&passwords, &login);
    const bool right = co_await asio::co_spawn(hashing, std::move(checking), use_awaitable);
    if (right) co_return true;
    asio::steady_timer delay(stream_.get_executor(), kWrongPasswordDelay);
    co_await delay.async_wait(use_awaitable);
    co_return false;
  }

  static asio::awaitable<bool> check(PasswordFile* passwords, const UserPassword* login) {
    co_return passwords->check(*login);
  }

  // The answer's head together with the first part of its body. False when the connection is of no
  // more use.
  asio::awaitable<bool> send(RegistryAnswer& answer, bool with_body, bool keep_alive) {
    std::span<const std::byte> first;
    if (with_body && answer.blob != nullptr) {
      first = next_part(*answer.blob, answer.length);
      if (first.empty()) {  // nothing was sent yet: it can still be said
        answer = failure(500, "UNKNOWN", "this content is damaged at the server");
        keep_alive = false;
      }
    }
    std::string text = answer.head(keep_alive);
    if (with_body) text += answer.body;
    const auto bytes = asio::buffer(text);
    bool sent = co_await send_bytes(bytes);
    std::uint64_t body = with_body ? answer.body.size() : 0;
    while (sent && body < answer.length && !first.empty()) {
      const asio::const_buffer part(first.data(), first.size());
      sent = co_await send_bytes(part);
      if (!sent) break;
      body += first.size();
      if (body == answer.length) break;
      first = next_part(*answer.blob, answer.length - body);
      sent = !first.empty();
    }
    finish(answer.status, body);
    std::vector<std::byte>().swap(part_);  // between requests a connection is to cost little
    const bool whole = sent && answer.status != 500;
    co_return whole;  // a client that got less than Content-Length sees the connection end
  }

  // Verified bytes, at most `left`; none when they do not hold.
  std::span<const std::byte> next_part(Source& source, std::uint64_t left) {
    part_.resize(std::max<std::size_t>(
        part_.size(), static_cast<std::size_t>(std::min<std::uint64_t>(kSendBuffer, left))));
    const auto room = std::span(part_).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(part_.size(), left)));
    try {
      const auto count = source.read(room);
      if (count == 0)
        throw Error(ExitCode::verification, "the content ends before its declared size");
      return room.first(count);
    } catch (const Error& error) {
      damaged(error);
      return {};
    }
  }

  // asio::async_write would cut this into system calls of 64 KiB.
  asio::awaitable<bool> send_bytes(asio::const_buffer bytes) {
    while (bytes.size() > 0) {
      restart_timeout();
      ErrorCode error;
      const std::size_t count =
          co_await stream_.async_write_some(bytes, asio::redirect_error(use_awaitable, error));
      bytes += count;
      if (error) co_return false;
    }
    co_return true;
  }

  asio::awaitable<void> discard_unread() {
    auto& lowest = beast::get_lowest_layer(stream_);
    ErrorCode error;
    lowest.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
    lowest.expires_after(kUnreadTime);
    std::array<char, 4096> scratch{};
    const auto buffer = asio::buffer(scratch);
    for (std::size_t seen = 0; seen < kMaxUnread && !error;) {
      const std::size_t count =
          co_await lowest.async_read_some(buffer, asio::redirect_error(use_awaitable, error));
      seen += count;
    }
  }

  void finish(unsigned status, std::uint64_t bytes) {
    served_.status = status;
    served_.bytes = bytes;
    if (shared_.options.on_request) shared_.options.on_request(served_);
  }

  Stream& stream_;
  ServerShared& shared_;
  std::string client_;
  beast::flat_buffer unread_{2 * kMaxHeader};
  std::vector<std::byte> part_;
  ServerOptions::Served served_;
};

asio::awaitable<void> serve_tls(beast::tcp_stream& tcp, ServerShared& shared,
                                const std::string& client) {
  beast::ssl_stream<beast::tcp_stream> stream(std::move(tcp), *shared.tls);
  beast::get_lowest_layer(stream).expires_after(shared.options.idle_timeout);
  ErrorCode error;
  co_await stream.async_handshake(asio::ssl::stream_base::server,
                                  asio::redirect_error(use_awaitable, error));
  if (error) co_return;
  Connection connection(stream, shared, client);
  co_await connection.run();
  // Without a proper end a client that got all of an answer may still call it cut.
  beast::get_lowest_layer(stream).expires_after(kUnreadTime);
  co_await stream.async_shutdown(asio::redirect_error(use_awaitable, error));
}

}  // namespace

asio::awaitable<void> serve_connection(asio::ip::tcp::socket socket, ServerShared& shared) {
  try {
    ErrorCode error;
    const auto peer = socket.remote_endpoint(error);
    const std::string client = error ? "-" : peer.address().to_string();
    socket.set_option(asio::ip::tcp::no_delay(true), error);
    beast::tcp_stream stream(std::move(socket));
    if (shared.tls) {
      co_await serve_tls(stream, shared, client);
    } else {
      Connection connection(stream, shared, client);
      co_await connection.run();
    }
  } catch (const std::exception&) {
    // The client is gone, or memory is: this connection ends, the others go on.
  }
}

}  // namespace kbundle
