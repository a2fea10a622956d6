// drain PORT CONNECTIONS SECONDS <LIST: load for a registry on 127.0.0.1. Each connection is kept
// and asks for one blob after another; LIST has "PATH SIZE" lines. Prints "BYTES SECONDS ANSWERS".
// What comes is dropped inside the kernel (MSG_TRUNC, tcp(7)), so that the client costs little.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace {

struct Blob {
  std::string path;
  std::uint64_t size = 0;
};

struct Connection {
  int fd = -1;
  std::size_t next = 0;    // which blob comes after this one
  std::string head;        // the answer's, while it comes
  std::uint64_t left = 0;  // of the body
  std::uint64_t answers = 0;
};

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "drain: " << what << "\n";
  std::exit(1);
}

class Load {
 public:
  Load(std::uint16_t port, std::vector<Blob> blobs) : port_(port), blobs_(std::move(blobs)) {}

  void open(std::size_t count) {
    connections_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      Connection& connection = connections_[i];
      connection.next = i * blobs_.size() / count;
      connection.fd = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port_);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        fail("nobody listens");
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    }
  }

  void run(double seconds) {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    const auto elapsed = [&] {
      return std::chrono::duration<double>(Clock::now() - start).count();
    };
    for (Connection& connection : connections_) ask(connection);
    std::vector<epoll_event> events(connections_.size());
    while (elapsed() < seconds) {
      const int ready =
          epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), /*ms*/ 5000);
      if (ready == 0) fail("nothing came for 5 s");
      for (int i = 0; i < ready; ++i)
        receive(connections_[events[static_cast<std::size_t>(i)].data.u64]);
    }
    std::uint64_t answers = 0;
    for (const Connection& connection : connections_) answers += connection.answers;
    std::printf("%llu %.4f %llu\n", static_cast<unsigned long long>(bytes_), elapsed(),
                static_cast<unsigned long long>(answers));
  }

 private:
  void ask(Connection& connection) {
    const std::string request =
        "GET " + blobs_[connection.next].path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    if (send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      fail("cannot send");
  }

  void receive(Connection& connection) {
    if (connection.left == 0) return receive_head(connection);
    const std::size_t want = std::min<std::uint64_t>(connection.left, buffer_.size());
    const ssize_t got = recv(connection.fd, buffer_.data(), want, MSG_TRUNC);
    if (got <= 0) fail("cut off inside " + blobs_[connection.next].path);
    took(connection, static_cast<std::uint64_t>(got));
  }

  void receive_head(Connection& connection) {
    char piece[16384];
    const ssize_t got = recv(connection.fd, piece, sizeof piece, 0);
    if (got <= 0) fail("no answer to " + blobs_[connection.next].path);
    connection.head.append(piece, static_cast<std::size_t>(got));
    const std::size_t end = connection.head.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const Blob& blob = blobs_[connection.next];
    const std::string length = "content-length: " + std::to_string(blob.size) + "\r\n";
    std::string head = connection.head.substr(0, end + 2);
    for (char& c : head)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (head.compare(0, 12, "http/1.1 200") != 0 || head.find(length) == std::string::npos)
      fail(blob.path + ": " + head);
    const std::uint64_t body = connection.head.size() - end - 4;
    connection.head.clear();
    connection.left = blob.size;
    took(connection, body);
  }

  void took(Connection& connection, std::uint64_t bytes) {
    bytes_ += bytes;
    connection.left -= bytes;
    if (connection.left != 0) return;
    ++connection.answers;
    connection.next = (connection.next + 1) % blobs_.size();
    ask(connection);
  }

  std::uint16_t port_;
  std::vector<Blob> blobs_;
  std::vector<Connection> connections_;
  std::vector<char> buffer_ = std::vector<char>(1 << 22);
  int epoll_ = epoll_create1(0);
  std::uint64_t bytes_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) fail("usage: drain PORT CONNECTIONS SECONDS <LIST");
  std::vector<Blob> blobs;
  for (Blob blob; std::cin >> blob.path >> blob.size;)
    if (blob.size > 0) blobs.push_back(blob);
  if (blobs.empty()) fail("no blobs in the list");
  Load load(static_cast<std::uint16_t>(std::atoi(argv[1])), std::move(blobs));
  load.open(static_cast<std::size_t>(std::atoi(argv[2])));
  load.run(std::atof(argv[3]));
}
