#include "installer/service_logs.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kTail = 32U << 10U;

std::string indented_tail(const std::string& text, int count) {
  auto lines = split(trim(text), '\n');
  const auto keep = static_cast<std::size_t>(count);
  if (lines.size() > keep) lines.erase(lines.begin(), lines.end() - count);
  std::string result;
  for (const std::string& line : lines)
    if (!line.empty()) result += "  | " + printable(line.substr(0, 400)) + "\n";
  return result;
}

// The information lines of klog ("I1121 03:01:15…") and logrus ("level=info") hide what matters.
std::string without_information(const std::string& text) {
  std::string result;
  for (const std::string& line : split(text, '\n')) {
    const bool klog = line.size() > 5 && line[0] == 'I' &&
                      std::all_of(line.begin() + 1, line.begin() + 5,
                                  [](char c) { return c >= '0' && c <= '9'; });
    const bool logrus = line.find(" level=info ") != std::string::npos;
    if (!klog && !logrus) result += line + "\n";
  }
  return result;
}

}  // namespace

std::string journal_tail(const Host& host, const std::string& unit, int lines) {
  if (!host.live()) return {};
  Command command;
  command.argv = {"journalctl", "--no-pager", "-o", "cat", "-n", "300", "-u", unit};
  command.timeout = std::chrono::seconds(15);
  try {
    const auto text = indented_tail(without_information(kbundle::run(command).output), lines);
    return text.empty() ? text : "last lines of " + unit + ":\n" + text;
  } catch (const Error&) {
    return {};
  }
}

std::string static_pod_logs(const Host& host, int lines) {
  std::string result;
  for (const std::string& pod : host.list("/var/log/pods")) {
    if (!pod.starts_with("kube-system_")) continue;
    const std::string folder = "/var/log/pods/" + pod;
    for (const std::string& container : host.list(folder)) {
      const auto logs = host.list(folder + "/" + container);  // 0.log, 1.log, …
      if (logs.empty()) continue;
      const std::string path = folder + "/" + container + "/" + logs.back();
      const auto text = indented_tail(without_information(file_tail(host.at(path), kTail)), lines);
      if (!text.empty()) result += "last lines of " + path + ":\n" + text;
    }
  }
  return result;
}

std::string file_tail(const std::filesystem::path& path, std::uint64_t limit) {
  try {
    const auto file = FileRandomSource::open(path);
    const std::uint64_t size = std::min(file.size(), limit);
    std::string text(size, '\0');
    const auto got = file.read_at(file.size() - size,
                                  std::as_writable_bytes(std::span(text.data(), text.size())));
    text.resize(got);
    return text;
  } catch (const Error&) {
    return {};  // a log that vanished meanwhile tells nothing
  }
}

}  // namespace kbundle
