// What a person or a program sees while something takes long. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace kbundle {

/// One thing under way. Ends with done() or, when destroyed without it, as failed.
class ProgressTask {
 public:
  virtual ~ProgressTask() = default;
  virtual void advance(std::uint64_t bytes) = 0;
  /// `note` stands behind the title in the final line ("already there", "sha256 held").
  virtual void done(std::string_view note = {}) = 0;
};

class Progress {
 public:
  virtual ~Progress() = default;
  /// `total` in bytes; 0 when it is not known.
  virtual std::unique_ptr<ProgressTask> start(std::string title, std::uint64_t total = 0) = 0;
  /// A line that stays.
  virtual void line(std::string_view text) = 0;
  /// A line that stays and asks for attention ("warning: …").
  virtual void warn(std::string_view text) = 0;
};

enum class ProgressMode {
  automatic,  ///< bars on a terminal, plain lines otherwise
  plain,
  json,  ///< one JSON object a line, on standard error
  quiet,
};

/// Writes to standard error; standard output stays for results. NO_COLOR is honoured.
std::unique_ptr<Progress> make_progress(ProgressMode mode);

}  // namespace kbundle
