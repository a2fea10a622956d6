#include "core/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kKeptOutput = 1U << 20U;

struct Pipe {
  UniqueFd read_end, write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("make a pipe", errno, ExitCode::internal);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<std::string> child_environment(const Command& command) {
  std::map<std::string, std::string> variables = {
      {"PATH", kChildPath}, {"HOME", "/root"}, {"LANG", "C.UTF-8"}, {"LC_ALL", "C.UTF-8"}};
  if (command.keep_proxy) {
    for (const char* name : {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                             "NO_PROXY", "all_proxy", "ALL_PROXY"}) {
      if (const char* value = std::getenv(name)) variables[name] = value;
    }
  }
  for (const auto& [name, value] : command.environment) variables[name] = value;
  std::vector<std::string> list;
  for (const auto& [name, value] : variables) list.push_back(name + "=" + value);
  return list;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (auto& text : strings) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// Keeps the tail of a stream and hands out its lines.
class Collector {
 public:
  explicit Collector(const std::function<void(std::string_view)>& on_line) : on_line_(on_line) {}

  void take(std::string_view bytes) {
    kept_.append(bytes);
    if (kept_.size() > 2 * kKeptOutput) kept_.erase(0, kept_.size() - kKeptOutput);
    if (!on_line_) return;
    line_.append(bytes);
    std::size_t start = 0;
    for (auto end = line_.find('\n'); end != std::string::npos; end = line_.find('\n', start)) {
      on_line_(std::string_view(line_).substr(start, end - start));
      start = end + 1;
    }
    line_.erase(0, start);
    if (line_.size() > kKeptOutput) line_.clear();
  }

  std::string finish() {
    if (on_line_ && !line_.empty()) on_line_(line_);
    if (kept_.size() > kKeptOutput) kept_.erase(0, kept_.size() - kKeptOutput);
    return std::move(kept_);
  }

 private:
  const std::function<void(std::string_view)>& on_line_;
  std::string kept_, line_;
};

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(const char* program, char* const* argv, char* const* environment,
                         int input, int output, int errors, int failure, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent died before prctl
  signal(SIGPIPE, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  execve(program, argv, environment);
  const int why = errno;
  [[maybe_unused]] const auto ignored = ::write(failure, &why, sizeof why);
  _exit(127);
}

// A child's standard input, which knows when the child stopped reading.
class ChildInput final : public Sink {
 public:
  ChildInput(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  using Sink::write;
  void write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const auto count = ::write(fd_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        broken_ = errno == EPIPE;
        throw_errno("write " + name_, errno, ExitCode::phase);
      }
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  bool broken() const { return broken_; }

 private:
  int fd_;
  std::string name_;
  bool broken_ = false;
};

// Writes the child's input from a thread of its own; a child that stops reading is no error here,
// its exit status tells. Any other failure is: the bytes may come from a stick that fails.
class Feeder {
 public:
  void start(const Command& command, UniqueFd to) {
    if (!command.feed && !command.input) return;
    thread_ = std::thread([this, &command, fd = std::move(to)] {
      // A child that stopped reading shall be EPIPE here, not a signal that ends kbundle.
      sigset_t broken_pipe;
      sigemptyset(&broken_pipe);
      sigaddset(&broken_pipe, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
      ChildInput sink(fd.get(), "the input of " + command.argv[0]);
      try {
        if (command.feed) {
          command.feed(sink);
        } else {
          sink.write(*command.input);
        }
      } catch (...) {
        failure_ = std::current_exception();
      }
      broken_pipe_ = sink.broken();
    });
  }
  /// `child_failed`: then a broken pipe is a consequence, not a cause.
  void finish(bool child_failed) {
    if (thread_.joinable()) thread_.join();
    if (failure_ && !(child_failed && broken_pipe_)) std::rethrow_exception(failure_);
  }
  ~Feeder() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
  std::exception_ptr failure_;
  bool broken_pipe_ = false;
};

// Whatever is thrown, no child stays behind.
class Reaper {
 public:
  explicit Reaper(pid_t child) : child_(child) {}
  ~Reaper() {
    if (reaped_) return;
    kill(-child_, SIGKILL);
    while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;
  bool reaped() const { return reaped_; }
  /// Collects the child if it has ended.
  bool try_collect(int& status) {
    if (!reaped_ && waitpid(child_, &status, WNOHANG) == child_) reaped_ = true;
    return reaped_;
  }

 private:
  pid_t child_;
  bool reaped_ = false;
};

}  // namespace

CommandResult run(const Command& command) {
  const auto program = find_program(command.argv.at(0));
  if (!program) {
    throw Error(ExitCode::phase, "the program " + command.argv[0] + " is not there",
                "install it, or look whether " + std::string(kChildPath) + " has it");
  }
  auto argv_text = command.argv;
  auto environment_text = child_environment(command);
  const auto argv = pointers(argv_text);
  const auto environment = pointers(environment_text);

  Pipe input = make_pipe();
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  Pipe failure = make_pipe();
  const bool has_input = command.feed || command.input;
  if (!has_input) input.read_end = open_file("/dev/null", O_RDONLY);

  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw_errno("start " + command.argv[0], errno, ExitCode::phase);
  if (child == 0) {
    become(program->c_str(), argv.data(), environment.data(), input.read_end.get(),
           output.write_end.get(), errors.write_end.get(), failure.write_end.get(), parent);
  }
  setpgid(child, child);  // also here: whoever comes first
  input.read_end.reset();
  output.write_end.reset();
  errors.write_end.reset();
  failure.write_end.reset();

  Feeder feeder;
  Reaper reaper(child);  // ends before the feeder, which may wait for the child to read
  feeder.start(command, std::move(input.write_end));

  CommandResult result;
  Collector out(command.on_line);
  Collector err(command.on_line);
  const auto deadline = Clock::now() + command.timeout;
  bool interrupted = false;
  std::vector<char> buffer(64 * 1024);
  const auto drain = [&](UniqueFd& fd, Collector& to) {
    const auto count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count > 0) to.take({buffer.data(), static_cast<std::size_t>(count)});
    if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) fd.reset();
  };

  int status = 0;
  auto last_read = Clock::time_point::max();
  int closed_wait = 1;  // milliseconds; a child that closed both pipes is about to end
  for (;;) {
    const bool was_reaped = reaper.reaped();
    std::array<pollfd, 2> fds = {pollfd{output.read_end.get(), POLLIN, 0},
                                 pollfd{errors.read_end.get(), POLLIN, 0}};
    int wait = 100;
    if (!output.read_end && !errors.read_end) {
      wait = closed_wait;
      closed_wait = std::min(2 * closed_wait, 100);
    }
    if (poll(fds.data(), fds.size(), was_reaped ? 0 : wait) < 0) {
      if (errno == EINTR && was_reaped) continue;
      fds[0].revents = fds[1].revents = 0;
    }
    if (output.read_end && (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      drain(output.read_end, out);
    }
    if (errors.read_end && (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      drain(errors.read_end, err);
    }
    // Only a look that was taken after the child's end shows its last words. A daemon that the
    // child left may hold the pipes open, and even write: what comes within two seconds is enough.
    const bool idle = ((fds[0].revents | fds[1].revents) & POLLIN) == 0;
    if (was_reaped && (idle || Clock::now() >= last_read)) break;
    if (!was_reaped && reaper.try_collect(status)) {
      last_read = Clock::now() + std::chrono::seconds(2);
    }
    if (!reaper.reaped() && !result.timed_out && !interrupted) {
      result.timed_out = Clock::now() >= deadline;
      interrupted = stop_requested();
      if (result.timed_out || interrupted) kill(-child, SIGKILL);
    }
  }
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.output = out.finish();
  result.errors = err.finish();
  feeder.finish(!result.ok());
  int why = 0;
  if (::read(failure.read_end.get(), &why, sizeof why) == static_cast<ssize_t>(sizeof why)) {
    throw_errno("run " + *program, why, ExitCode::phase);
  }
  if (interrupted) throw_if_interrupted();
  return result;
}

CommandResult run_checked(const Command& command) {
  auto result = run(command);
  if (result.ok()) return result;
  const std::string why =
      result.timed_out ? "did not end within " + human_duration(command.timeout) + " and was killed"
                       : "failed with exit status " + std::to_string(result.exit_status);
  const std::string& said = trim(result.errors).empty() ? result.output : result.errors;
  auto lines = split(trim(said), '\n');
  if (lines.size() > 12) lines.erase(lines.begin(), lines.end() - 12);
  std::string message = "`" + to_shell(command.argv) + "` " + why;
  for (const auto& line : lines) {
    if (!line.empty()) message += "\n  | " + printable(line.substr(0, 400));
  }
  throw Error(ExitCode::phase, message);
}

std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return access(name.c_str(), X_OK) == 0 ? std::optional(name) : std::nullopt;
  }
  for (const auto& folder : split(kChildPath, ':')) {
    std::string path = folder + "/" + name;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::string to_shell(const std::vector<std::string>& argv) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+";
  std::string line;
  for (const auto& word : argv) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

}  // namespace kbundle
