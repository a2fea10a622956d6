// Small helpers for text that people read.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kbundle {

std::string human_size(std::uint64_t bytes);                    ///< "205.1 MB" (decimal units)
std::string human_duration(std::chrono::milliseconds elapsed);  ///< "850 ms", "12.3 s", "2 min 5 s"
/// Control characters, newlines and invalid UTF-8 as \xNN, so that a name cannot draw on the
/// terminal.
std::string printable(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string to_lower(std::string_view text);
std::string base64_encode(std::string_view bytes);
/// Strict: standard alphabet, padding, no white space. Error{verification} naming `what`.
std::string base64_decode(std::string_view text, std::string_view what);
std::string to_hex(std::string_view bytes);
/// "2026-11-21T01:02:03Z"
std::string rfc3339(std::chrono::system_clock::time_point time);
std::chrono::system_clock::time_point parse_rfc3339(std::string_view text, std::string_view what);

/// Breaks at spaces into lines of at most `width` columns; each line starts with `indent` spaces.
/// A longer word stands on a line of its own. Ends with a newline.
std::string wrap(std::string_view text, std::size_t width, std::size_t indent);

/// A table with a header row; columns are as wide as their longest cell.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kbundle
