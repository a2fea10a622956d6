// Servers for the tests, each a child process that ends with its object.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "registry/client.hpp"

namespace kbundle::test {

class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path path;
};

/// A child process; killed and waited for in the destructor.
class Child {
 public:
  /// Reads the child's first line of standard output into `first_line` when that is not null.
  explicit Child(const std::vector<std::string>& argv, std::string* first_line = nullptr);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  pid_t pid_ = -1;
};

/// docker-registry on a free port of 127.0.0.1.
class DockerRegistry {
 public:
  struct Options {
    bool password = false;  ///< user "tester", password "secret"
    std::string certificate, key;
    std::string client_ca{};  ///< clients must show a certificate by it
  };
  DockerRegistry() : DockerRegistry(Options{}) {}
  explicit DockerRegistry(const Options& options);
  std::string host() const;  ///< "127.0.0.1:PORT"
  std::string url() const;   ///< "http://127.0.0.1:PORT"
  /// Pushes a blob or manifest over HTTP.
  void push_blob(const std::string& repository, const std::string& bytes) const;
  void push_manifest(const std::string& repository, const std::string& tag,
                     const std::string& bytes, const std::string& media_type) const;

 private:
  Folder folder_;
  Options options_;
  int port_;
  std::unique_ptr<Child> child_;
};

/// tests/faults/bad_registry.py; serves `content` in the way that the repository's name says.
class BadServer {
 public:
  explicit BadServer(const std::string& content, const std::vector<std::string>& arguments = {});
  std::string host() const { return "127.0.0.1:" + port_; }
  std::string url() const { return "http://" + host(); }
  /// "PATH|Range|Authorization" of each request that came so far.
  std::vector<std::string> log() const;

 private:
  Folder folder_;
  std::string port_;
  std::unique_ptr<Child> child_;
};

/// A self-signed certificate for 127.0.0.1 and localhost; negative `days` is expired.
struct Certificate {
  explicit Certificate(int days = 2);
  Folder folder;
  std::string certificate, key;
};

int free_port();
std::string pattern(std::size_t size);  ///< bytes that do not repeat soon
Descriptor descriptor_of(const std::string& bytes);
void write(const std::filesystem::path& path, const std::string& text);

/// A client that knows no credentials but those in `docker_config` and tries quickly.
TransportOptions options_for(const std::vector<std::string>& plain_http,
                             const std::filesystem::path& docker_config = "/nonexistent");

/// The Error that `action` ends with; ExitCode::ok when it ends well.
Error error_of(const std::function<void()>& action);

/// Runs `action` in a forked child; its exit status (Errors become their exit code).
pid_t fork_run(const std::function<void()>& action);
int wait_for(pid_t pid);

}  // namespace kbundle::test
