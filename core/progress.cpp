#include "core/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <mutex>
#include <optional>

#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

using Clock = std::chrono::steady_clock;

std::string elapsed_since(Clock::time_point start) {
  return human_duration(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start));
}

void put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

// Counts bytes from several threads, and says now and then that a report is due.
class Meter {
 public:
  explicit Meter(Clock::duration interval) : interval_(interval) {}
  /// The count so far, when the last report is long enough ago.
  std::optional<std::uint64_t> add(std::uint64_t bytes) {
    const std::lock_guard guard(mutex_);
    count_ += bytes;
    const auto now = Clock::now();
    if (now - reported_ < interval_) return {};
    reported_ = now;
    return count_;
  }
  std::uint64_t count() const { return count_; }
  Clock::time_point start() const { return start_; }

 private:
  std::mutex mutex_;
  Clock::duration interval_;
  std::uint64_t count_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point reported_ = start_;
};

class QuietProgress final : public Progress {
  struct Task final : ProgressTask {
    void advance(std::uint64_t) override {}
    void done(std::string_view) override {}
  };

 public:
  std::unique_ptr<ProgressTask> start(std::string, std::uint64_t) override {
    return std::make_unique<Task>();
  }
  void line(std::string_view) override {}
  void warn(std::string_view text) override { put("warning: " + std::string(text) + "\n"); }
};

// A line when a thing has ended, and a sign of life for what takes long.
class PlainProgress final : public Progress {
  class Task final : public ProgressTask {
   public:
    Task(PlainProgress& owner, std::string title, std::uint64_t total)
        : owner_(owner), title_(std::move(title)), total_(total) {}
    ~Task() override {
      if (!ended_) owner_.print("  failed  " + title_);
    }
    void advance(std::uint64_t bytes) override {
      const auto count = meter_.add(bytes);
      if (!count) return;
      owner_.print("  ...     " + title_ + "  " + human_size(*count) +
                   (total_ > 0 ? " of " + human_size(total_) : ""));
    }
    void done(std::string_view note) override {
      ended_ = true;
      std::string text = "  done    " + title_;
      if (meter_.count() > 0) text += "  " + human_size(meter_.count());
      if (!note.empty()) text += "  (" + std::string(note) + ")";
      owner_.print(text + "  " + elapsed_since(meter_.start()));
    }

   private:
    PlainProgress& owner_;
    std::string title_;
    std::uint64_t total_;
    Meter meter_{std::chrono::seconds(10)};
    bool ended_ = false;
  };

 public:
  std::unique_ptr<ProgressTask> start(std::string title, std::uint64_t total) override {
    return std::make_unique<Task>(*this, std::move(title), total);
  }
  void line(std::string_view text) override { print(std::string(text)); }
  void warn(std::string_view text) override { print("warning: " + std::string(text)); }

  void print(const std::string& text) {
    const std::lock_guard guard(mutex_);
    put(text + "\n");
  }

 private:
  std::mutex mutex_;
};

class JsonProgress final : public Progress {
  class Task final : public ProgressTask {
   public:
    Task(JsonProgress& owner, std::string title, std::uint64_t total)
        : owner_(owner), title_(std::move(title)), total_(total) {
      owner_.emit({{"event", "start"}, {"title", title_}, {"total", total_}});
    }
    ~Task() override {
      if (!ended_) owner_.emit({{"event", "failed"}, {"title", title_}});
    }
    void advance(std::uint64_t bytes) override {
      const auto count = meter_.add(bytes);
      if (!count) return;
      owner_.emit({{"event", "progress"}, {"title", title_}, {"bytes", *count}, {"total", total_}});
    }
    void done(std::string_view note) override {
      ended_ = true;
      const auto elapsed =
          std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - meter_.start());
      owner_.emit({{"event", "done"},
                   {"title", title_},
                   {"bytes", meter_.count()},
                   {"note", std::string(note)},
                   {"milliseconds", elapsed.count()}});
    }

   private:
    JsonProgress& owner_;
    std::string title_;
    std::uint64_t total_;
    Meter meter_{std::chrono::milliseconds(500)};
    bool ended_ = false;
  };

 public:
  std::unique_ptr<ProgressTask> start(std::string title, std::uint64_t total) override {
    return std::make_unique<Task>(*this, std::move(title), total);
  }
  void line(std::string_view text) override {
    emit({{"event", "line"}, {"text", std::string(text)}});
  }
  void warn(std::string_view text) override {
    emit({{"event", "warning"}, {"text", std::string(text)}});
  }

  void emit(const Json& event) {
    const std::lock_guard guard(mutex_);
    put(event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }

 private:
  std::mutex mutex_;
};

// Bars for what is under way, below the lines of what has ended. Drawn again at most ten times a
// second; everything is one fwrite, so that lines do not tear.
class TerminalProgress final : public Progress {
  struct State {
    std::string title;
    std::uint64_t total = 0;
    std::uint64_t count = 0;
    Clock::time_point start = Clock::now();
  };

  class Task final : public ProgressTask {
   public:
    Task(TerminalProgress& owner, std::list<State>::iterator state)
        : owner_(owner), state_(state) {}
    ~Task() override {
      if (!ended_) owner_.end(state_, false, {});
    }
    void advance(std::uint64_t bytes) override { owner_.advance(state_, bytes); }
    void done(std::string_view note) override {
      ended_ = true;
      owner_.end(state_, true, note);
    }

   private:
    TerminalProgress& owner_;
    std::list<State>::iterator state_;
    bool ended_ = false;
  };

 public:
  explicit TerminalProgress(bool color) : color_(color) {}
  ~TerminalProgress() override { put(erase()); }

  std::unique_ptr<ProgressTask> start(std::string title, std::uint64_t total) override {
    const std::lock_guard guard(mutex_);
    active_.push_back({std::move(title), total});
    redraw({});
    return std::make_unique<Task>(*this, std::prev(active_.end()));
  }
  void line(std::string_view text) override {
    const std::lock_guard guard(mutex_);
    redraw(std::string(text) + "\n");
  }
  void warn(std::string_view text) override {
    const std::lock_guard guard(mutex_);
    redraw(paint("33", "warning:") + " " + std::string(text) + "\n");
  }

 private:
  void advance(std::list<State>::iterator state, std::uint64_t bytes) {
    const std::lock_guard guard(mutex_);
    state->count += bytes;
    if (Clock::now() - drawn_at_ > std::chrono::milliseconds(100)) redraw({});
  }

  void end(std::list<State>::iterator state, bool good, std::string_view note) {
    const std::lock_guard guard(mutex_);
    std::string text = good ? paint("32", "✓ ") : paint("31", "✗ ");
    text += state->title;
    if (good && state->count > 0) text += "  " + human_size(state->count);
    if (!note.empty()) text += "  (" + std::string(note) + ")";
    text += good ? "  " + elapsed_since(state->start) : "  failed";
    active_.erase(state);
    redraw(text + "\n");
  }

  std::string paint(const char* code, const std::string& text) const {
    return color_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }

  static std::size_t width() {
    winsize size = {};
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20;
    return known ? size.ws_col : 80;
  }

  std::string erase() {
    std::string text;
    for (; drawn_lines_ > 0; --drawn_lines_) text += "\x1b[1A\x1b[2K";
    return text;
  }

  void redraw(const std::string& above) {
    std::string text = erase() + above;
    const auto columns = width();
    for (const auto& state : active_) {
      std::string right;
      if (state.total > 0) {
        constexpr std::size_t cells = 16;
        const auto filled = static_cast<std::size_t>(
            std::min(1.0, static_cast<double>(state.count) / static_cast<double>(state.total)) *
            cells);
        right =
            fmt::format("[{:<{}}] {:>9}", std::string(filled, '#'), cells, human_size(state.count));
      } else {
        right =
            (state.count > 0 ? human_size(state.count) + "  " : "") + elapsed_since(state.start);
      }
      const auto room = columns > right.size() + 5 ? columns - right.size() - 5 : 0;
      const auto title = state.title.size() > room ? state.title.substr(0, room) : state.title;
      text += "  " + title + std::string(room - title.size() + 2, ' ') + right + "\n";
      ++drawn_lines_;
    }
    drawn_at_ = Clock::now();
    put(text);
  }

  std::mutex mutex_;
  std::list<State> active_;
  std::size_t drawn_lines_ = 0;
  Clock::time_point drawn_at_{};
  bool color_;
};

}  // namespace

std::unique_ptr<Progress> make_progress(ProgressMode mode) {
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  if (mode == ProgressMode::automatic) {
    if (isatty(STDERR_FILENO) != 0 && !dumb) {
      const char* no_color = std::getenv("NO_COLOR");
      return std::make_unique<TerminalProgress>(no_color == nullptr || *no_color == '\0');
    }
    mode = ProgressMode::plain;
  }
  if (mode == ProgressMode::json) return std::make_unique<JsonProgress>();
  if (mode == ProgressMode::quiet) return std::make_unique<QuietProgress>();
  return std::make_unique<PlainProgress>();
}

}  // namespace kbundle
