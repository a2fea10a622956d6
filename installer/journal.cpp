#include "installer/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kJournalLimit = 16U << 20U;
constexpr std::size_t kHeader = 9;  // "xxxxxxxx "

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
    table[i] = value;
  }
  return table;
}

// The JSON of a line, or nullopt when the line is torn or damaged.
std::optional<std::string_view> checked_json(std::string_view line) {
  if (line.size() < kHeader + 2 || line[8] != ' ') return std::nullopt;
  std::uint32_t sum = 0;
  if (auto [end, error] = std::from_chars(line.data(), line.data() + 8, sum, 16);
      error != std::errc() || end != line.data() + 8)
    return std::nullopt;
  const auto space = line.find(' ', kHeader);
  if (space == std::string_view::npos) return std::nullopt;
  std::size_t length = 0;
  if (auto [end, error] = std::from_chars(line.data() + kHeader, line.data() + space, length);
      error != std::errc() || end != line.data() + space)
    return std::nullopt;
  const auto json = line.substr(space + 1);
  if (json.size() != length || crc32(json) != sum) return std::nullopt;
  return json;
}

std::string shown(const Json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return text.empty() || text == "false" || text == "[]" ? "not given" : printable(text);
}

void compare(std::vector<std::string>& result, const std::string& name, const std::string& before,
             const std::string& now) {
  if (before != now)
    result.push_back(name + ": " + shown(Json(before)) + " before, " + shown(Json(now)) + " now");
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  static constexpr auto kTable = make_crc_table();
  std::uint32_t value = 0xFFFFFFFFU;
  for (const char c : bytes)
    value = (value >> 8U) ^ kTable[(value ^ static_cast<unsigned char>(c)) & 0xFFU];
  return value ^ 0xFFFFFFFFU;
}

std::vector<std::string> PlanRecord::differences(const PlanRecord& now) const {
  std::vector<std::string> result;
  compare(result, "action", action, now.action);
  compare(result, "bundle", bundle, now.bundle);
  compare(result, "role", role, now.role);
  compare(result, "root", root, now.root);
  compare(result, "kubeadm configuration", config_digest, now.config_digest);
  Json all = overrides;
  all.update(now.overrides);
  for (const auto& [name, unused] : all.items()) {
    const Json before = overrides.value(name, Json(""));
    const Json after = now.overrides.value(name, Json(""));
    if (before != after)
      result.push_back(name + ": " + shown(before) + " before, " + shown(after) + " now");
  }
  return result;
}

Journal Journal::look(const std::filesystem::path& file) {
  Journal journal;
  journal.load(file);
  return journal;
}

Journal Journal::open(const std::filesystem::path& file) {
  make_folders(file.parent_path(), 0700);
  Journal journal;
  journal.load(file);
  journal.fd_ = open_file(file, O_WRONLY | O_CREAT, 0600);
  if (journal.torn_) {
    if (::ftruncate(journal.fd_.get(), static_cast<off_t>(journal.good_size_)) != 0)
      throw_errno("cut the torn end of " + file.string(), errno);
    if (::fsync(journal.fd_.get()) != 0) throw_errno("fsync " + file.string(), errno);
  }
  if (::lseek(journal.fd_.get(), 0, SEEK_END) < 0) throw_errno("seek in " + file.string(), errno);
  fsync_folder(file.parent_path());
  return journal;
}

void Journal::load(const std::filesystem::path& file) {
  file_ = file;
  const std::string text = read_file_if_exists(file, kJournalLimit).value_or("");
  std::size_t start = 0;
  while (start < text.size()) {
    const auto end = text.find('\n', start);
    if (end == std::string::npos) break;
    const auto json = checked_json(std::string_view(text).substr(start, end - start));
    if (!json) break;
    apply(parse_json(*json, file.string()));
    start = end + 1;
  }
  good_size_ = start;
  torn_ = start < text.size();
}

void Journal::apply(const Json& record) {
  const std::string what = file_.string();
  const std::string type = json_string(record, "type", what);
  if (type == "plan") {
    const auto version = json_unsigned(record, "version", what);
    if (version > kJournalVersion)
      throw Error(ExitCode::preflight,
                  fmt::format("{} was written by a newer kbundle (journal version {}, this one "
                              "knows {})",
                              what, version, kJournalVersion),
                  "use the kbundle that lies beside the bundle this node was installed from");
    plan_ = PlanRecord{};
    plan_.action = record.value("action", "install");
    plan_.bundle = json_string(record, "bundle", what);
    plan_.line = json_string(record, "line", what);
    plan_.serial = json_unsigned(record, "serial", what);
    plan_.kubernetes_version = json_string(record, "kubernetes_version", what);
    plan_.role = json_string(record, "role", what);
    plan_.root = json_string(record, "root", what);
    plan_.config_digest = json_string(record, "config_digest", what);
    plan_.overrides = record.value("overrides", Json::object());
    plan_.unsigned_bundle = record.value("unsigned", false);
    has_plan_ = true;
    complete_ = false;
    was_complete_ = false;
    last_phase_.clear();
    begun_.clear();
    ended_.clear();
  } else if (type == "begin") {
    last_phase_ = json_string(record, "phase", what);
    begun_.insert(last_phase_);
    complete_ = false;
  } else if (type == "end") {
    ended_.insert(json_string(record, "phase", what));
  } else if (type == "finish") {
    complete_ = true;
    was_complete_ = true;
  } else if (type == "undo") {
    undo_.push_back(record);
  } else if (type == "reset") {
    resetting_ = true;
    if (record.contains("did")) reset_did_.insert(json_string(record, "did", what));
  }
}

void Journal::append(const Json& record) {
  const std::string json = canonical_json(record);
  const std::string line = fmt::format("{:08x} {} {}\n", crc32(json), json.size(), json);
  FdSink(fd_.get(), file_.string()).write(line);
  if (::fsync(fd_.get()) != 0) throw_errno("fsync " + file_.string(), errno);
  apply(record);
}

void Journal::write_plan(const PlanRecord& plan) {
  append({{"type", "plan"},
          {"version", static_cast<std::uint64_t>(kJournalVersion)},
          {"time", rfc3339(std::chrono::system_clock::now())},
          {"action", plan.action},
          {"bundle", plan.bundle},
          {"line", plan.line},
          {"serial", plan.serial},
          {"kubernetes_version", plan.kubernetes_version},
          {"role", plan.role},
          {"root", plan.root},
          {"config_digest", plan.config_digest},
          {"overrides", plan.overrides},
          {"unsigned", plan.unsigned_bundle}});
}

void Journal::begin(const std::string& phase) {
  append(
      {{"type", "begin"}, {"phase", phase}, {"time", rfc3339(std::chrono::system_clock::now())}});
}

void Journal::end(const std::string& phase, std::int64_t milliseconds) {
  append({{"type", "end"}, {"phase", phase}, {"milliseconds", milliseconds}});
}

void Journal::fail(const std::string& phase, int exit_code) {
  append({{"type", "fail"},
          {"phase", phase},
          {"exit_code", exit_code},
          {"time", rfc3339(std::chrono::system_clock::now())}});
}

void Journal::finish() {
  append({{"type", "finish"}, {"time", rfc3339(std::chrono::system_clock::now())}});
}

void Journal::write_undo(Json record) {
  record["type"] = "undo";
  append(record);
}

void Journal::begin_reset() {
  if (!resetting_) append({{"type", "reset"}, {"time", rfc3339(std::chrono::system_clock::now())}});
}

void Journal::reset_done(const std::string& step) {
  append({{"type", "reset"}, {"did", step}});
}

}  // namespace kbundle
