#include "servers.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "core/text.hpp"

namespace kbundle::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

void wait_for_port(int port) {
  for (int i = 0; i < 200; ++i) {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw std::runtime_error(fmt::format("nothing listens on port {}", port));
}

struct Answer {
  long status = 0;
  std::string location, body;
};

std::size_t collect(char* data, std::size_t, std::size_t size, void* user) {
  static_cast<std::string*>(user)->append(data, size);
  return size;
}

// Plain libcurl, so that the client under test does not test itself.
Answer http(const std::string& method, const std::string& url, const std::string& body = "",
            const std::string& content_type = "application/octet-stream") {
  CURL* handle = curl_easy_init();
  Answer answer;
  curl_slist* headers = curl_slist_append(nullptr, ("Content-Type: " + content_type).c_str());
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &collect);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer.body);
  if (method != "GET") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  }
  const CURLcode code = curl_easy_perform(handle);
  if (code != CURLE_OK) throw std::runtime_error(url + ": " + curl_easy_strerror(code));
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
  char* location = nullptr;
  curl_easy_getinfo(handle, CURLINFO_REDIRECT_URL, &location);
  struct curl_header* header = nullptr;
  if (curl_easy_header(handle, "Location", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
    answer.location = header->value;
  curl_slist_free_all(headers);
  curl_easy_cleanup(handle);
  return answer;
}

void expect(const Answer& answer, long status) {
  if (answer.status != status)
    throw std::runtime_error(
        fmt::format("status {} was wanted, found {}: {}", status, answer.status, answer.body));
}

}  // namespace

Folder::Folder() {
  char name[] = "/tmp/kbundle-registry-XXXXXX";
  path = ::mkdtemp(name);
}

Folder::~Folder() {
  std::filesystem::remove_all(path);
}

Child::Child(const std::vector<std::string>& argv, std::string* first_line) {
  int output[2] = {-1, -1};
  if (::pipe(output) != 0) throw std::runtime_error("pipe");
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(first_line != nullptr ? output[1] : nowhere, 1);
    ::dup2(nowhere, 2);
    ::close(output[0]);
    ::close(output[1]);
    std::vector<char*> pointers;
    for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
  ::close(output[1]);
  char c = 0;
  while (first_line != nullptr && ::read(output[0], &c, 1) == 1 && c != '\n') *first_line += c;
  ::close(output[0]);
  if (first_line != nullptr && first_line->empty())
    throw std::runtime_error(argv[0] + " did not start");
}

Child::~Child() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

DockerRegistry::DockerRegistry(const Options& options) : options_(options), port_(free_port()) {
  std::string config = fmt::format(
      "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n"
      "http:\n  addr: 127.0.0.1:{}\n",
      (folder_.path / "storage").string(), port_);
  if (!options.certificate.empty())
    config += fmt::format("  tls: {{certificate: {}, key: {}, clientcas: [{}]}}\n",
                          options.certificate, options.key, options.client_ca);
  if (options.password) {
    // bcrypt of "secret"
    write(folder_.path / "htpasswd",
          "tester:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n");
    config += fmt::format("auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
                          (folder_.path / "htpasswd").string());
  }
  write(folder_.path / "config.yml", config);
  child_ = std::make_unique<Child>(
      std::vector<std::string>{"docker-registry", "serve", (folder_.path / "config.yml").string()});
  wait_for_port(port_);
}

std::string DockerRegistry::host() const {
  return fmt::format("127.0.0.1:{}", port_);
}
std::string DockerRegistry::url() const {
  return "http://" + host();
}

void DockerRegistry::push_blob(const std::string& repository, const std::string& bytes) const {
  const std::string base = options_.password ? "http://tester:secret@" + host() : url();
  const Answer upload = http("POST", fmt::format("{}/v2/{}/blobs/uploads/", base, repository));
  expect(upload, 202);
  std::string target = upload.location;
  if (options_.password) target.replace(0, std::strlen("http://"), "http://tester:secret@");
  expect(http("PUT", target + "&digest=" + sha256(bytes).str(), bytes), 201);
}

void DockerRegistry::push_manifest(const std::string& repository, const std::string& tag,
                                   const std::string& bytes, const std::string& type) const {
  const std::string base = options_.password ? "http://tester:secret@" + host() : url();
  expect(http("PUT", fmt::format("{}/v2/{}/manifests/{}", base, repository, tag), bytes, type),
         201);
}

BadServer::BadServer(const std::string& content, const std::vector<std::string>& arguments) {
  write(folder_.path / "content", content);
  std::vector<std::string> argv = {"python3", KBUNDLE_BAD_REGISTRY,
                                   (folder_.path / "content").string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  child_ = std::make_unique<Child>(argv, &port_);
}

std::vector<std::string> BadServer::log() const {
  return split(http("GET", url() + "/log").body, '\n');
}

Certificate::Certificate(int days)
    : certificate((folder.path / "cert.pem").string()), key((folder.path / "key.pem").string()) {
  // `openssl req` makes no expired certificate; `openssl x509` signs one again with any dates.
  const std::string command = fmt::format(
      "(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {0} "
      "-out {1}.new -subj /CN=test -addext subjectAltName=IP:127.0.0.1,DNS:localhost && "
      "openssl x509 -in {1}.new -signkey {0} -days {2} -out {1}) >/dev/null 2>&1",
      key, certificate, days);
  if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl failed");
}

int free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& c : text) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24U);
  }
  return text;
}

Descriptor descriptor_of(const std::string& bytes) {
  Descriptor descriptor;
  descriptor.media_type = "application/octet-stream";
  descriptor.digest = sha256(bytes);
  descriptor.size = bytes.size();
  return descriptor;
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TransportOptions options_for(const std::vector<std::string>& plain_http,
                             const std::filesystem::path& docker_config) {
  // The tests' servers are on this machine, whatever proxy its user has.
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"})
    ::unsetenv(name);
  TransportOptions options;
  options.plain_http = plain_http;
  options.docker_config = docker_config;
  options.connect_timeout = std::chrono::seconds(5);
  options.stall_timeout = std::chrono::seconds(2);
  options.attempts = 3;
  return options;
}

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error(ExitCode::ok, "");
}

pid_t fork_run(const std::function<void()>& action) {
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    action();
  } catch (const Error& error) {
    ::_exit(static_cast<int>(error.code()));
  } catch (...) {
    ::_exit(99);
  }
  ::_exit(0);
}

int wait_for(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace kbundle::test
