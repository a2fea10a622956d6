#include "installer/undo.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "installer/cluster_names.hpp"
#include "installer/context.hpp"
#include "installer/sysctl.hpp"

namespace kbundle {
namespace {

const char* word_of(Touch touch) {
  switch (touch) {
    case Touch::file:
      return "file";
    case Touch::unit:
      return "unit";
    case Touch::sysctl:
      return "sysctl";
    case Touch::module:
      return "module";
    case Touch::swap:
      return "swap";
  }
  return "";
}

std::string text(const Json& record, const char* key) {
  return record.contains(key) && record[key].is_string() ? record[key].get<std::string>() : "";
}

std::string copy_of(const Json& record) {
  return std::string(node_path::before) + "/" + text(record, "copy");
}

std::string systemctl_word(const Host& host, const char* verb, const std::string& unit) {
  const auto result =
      host.run({.argv = {"systemctl", verb, unit}, .timeout = std::chrono::seconds(20)});
  return std::string(trim(result.output));
}

bool starts_at_boot(const std::string& enabled) {
  return enabled == "enabled" || enabled == "enabled-runtime";
}

// The folders above a path that are not there, outermost first.
std::vector<std::string> absent_folders(const Host& host, const std::string& path) {
  std::vector<std::string> result;
  for (auto folder = std::filesystem::path(path).parent_path();
       folder != folder.parent_path() && !host.exists(folder.string());
       folder = folder.parent_path())
    result.insert(result.begin(), folder.string());
  return result;
}

// The bytes of a file under a name of their own: digest, streamed, for a kubelet has 100 MB.
std::string keep_copy(Host& host, const std::string& path) {
  const std::string name = host.digest(path)->hex();
  const auto target = host.at(std::string(node_path::before) + "/" + name);
  if (std::filesystem::exists(target)) return name;
  make_folders(target.parent_path(), 0700);
  auto source = FdSource::open(host.at(path));
  AtomicFile out(target, 0600);
  copy(source, out);
  out.commit();
  return name;
}

Json file_before(Host& host, const std::string& path) {
  struct stat status {};
  const auto real = host.at(path);
  if (::lstat(real.c_str(), &status) != 0)
    return {{"state", "absent"}, {"folders", absent_folders(host, path)}};
  if (S_ISLNK(status.st_mode))
    return {{"state", "link"}, {"target", std::filesystem::read_symlink(real).string()}};
  if (!S_ISREG(status.st_mode)) return {{"state", "other"}};
  return {{"state", "file"},
          {"mode", status.st_mode & 07777U},
          {"uid", status.st_uid},
          {"gid", status.st_gid},
          {"copy", keep_copy(host, path)}};
}

Json unit_before(const Host& host, const std::string& unit) {
  const std::string active = systemctl_word(host, "is-active", unit);
  return {{"enabled", systemctl_word(host, "is-enabled", unit)},
          {"active", active == "active" || active == "activating" || active == "reloading"}};
}

Json swap_before(const Host& host, const std::string& area) {
  for (const std::string& line : split(host.read("/proc/swaps").value_or(""), '\n')) {
    std::istringstream in(line);
    std::string name, type, size, used, priority;
    in >> name >> type >> size >> used >> priority;
    if (name == area) return {{"priority", priority}};
  }
  return Json::object();
}

bool module_is_there(const Host& host, std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return host.exists("/sys/module/" + name);
}

// What undoing a file would do; empty: it is as it was.
std::string file_difference(const Host& host, const Json& record) {
  const std::string path = text(record, "name"), state = text(record, "state");
  if (state == "absent") {
    if (host.exists(path)) return "remove " + path;
    for (const Json& folder : record.value("folders", Json::array()))
      if (host.exists(folder.get<std::string>()) && host.list(folder.get<std::string>()).empty())
        return "remove the empty folder " + folder.get<std::string>();
    return {};
  }
  std::error_code ignored;
  const bool is_link = std::filesystem::is_symlink(host.at(path), ignored);
  if (state == "link") {
    const bool same =
        is_link && std::filesystem::read_symlink(host.at(path)).string() == text(record, "target");
    return same ? "" : "restore the link " + path;
  }
  if (state != "file") return {};
  struct stat status {};
  const bool same = !is_link && ::stat(host.at(path).c_str(), &status) == 0 &&
                    (status.st_mode & 07777U) == record.value("mode", 0U) &&
                    status.st_uid == record.value("uid", 0U) &&
                    status.st_gid == record.value("gid", 0U) &&
                    host.digest(path)->hex() == text(record, "copy");
  return same ? "" : "restore " + path;
}

std::string unit_difference(const Host& host, const Json& record) {
  const std::string unit = text(record, "name"), before = text(record, "enabled");
  const std::string now = systemctl_word(host, "is-enabled", unit);
  std::vector<std::string> words;
  if (now == "masked" && before != "masked") words.emplace_back("unmask");
  if (!record.value("active", false) && systemctl_word(host, "is-active", unit) == "active")
    words.emplace_back("stop");
  if (starts_at_boot(now) && !starts_at_boot(before)) words.emplace_back("disable");
  if (starts_at_boot(before) && !starts_at_boot(now)) words.emplace_back("enable");
  return words.empty() ? "" : join(words, " and ") + " " + unit;
}

std::string difference(const Host& host, const Json& record) {
  const std::string touch = text(record, "touch"), name = text(record, "name");
  if (touch == "file") return file_difference(host, record);
  if (!host.live()) return {};
  if (touch == "unit") return unit_difference(host, record);
  if (touch == "sysctl") {
    const auto now = host.read(sysctl_file(name));
    return record.contains("value") && now && trim(*now) != text(record, "value")
               ? "set " + name + " to " + text(record, "value")
               : "";
  }
  if (touch == "swap")
    return host.read("/proc/swaps").value_or("").find(name + " ") == std::string::npos &&
                   host.exists(name)
               ? "turn swap on: " + name
               : "";
  return {};
}

void remove_empty_folder(const Host& host, const std::string& folder) {
  if (::rmdir(host.at(folder).c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY &&
      errno != EEXIST && errno != ENOTDIR)
    throw_errno("remove the folder " + folder, errno);
}

void undo_file(Host& host, const Json& record) {
  const std::string path = text(record, "name"), state = text(record, "state");
  if (state == "absent") {
    host.remove(path);
    const Json folders = record.value("folders", Json::array());
    for (auto it = folders.rbegin(); it != folders.rend(); ++it)
      remove_empty_folder(host, it->get<std::string>());
    return;
  }
  const auto target = host.at(path);
  make_folders(target.parent_path());
  if (state == "link") {
    const auto temporary = target.parent_path() / ".kbundle-link";
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    std::filesystem::create_symlink(text(record, "target"), temporary);
    std::filesystem::rename(temporary, target);
    fsync_folder(target.parent_path());
    return;
  }
  auto source = FdSource::open(host.at(copy_of(record)));
  AtomicFile out(target, record.value("mode", 0644U));
  copy(source, out);
  if (::fchown(out.fd(), record.value("uid", 0U), record.value("gid", 0U)) != 0)
    throw_errno("give " + path + " back to its owner", errno);
  // fchown(2) takes set-user-ID bits away.
  if (::fchmod(out.fd(), record.value("mode", 0644U)) != 0)
    throw_errno("set the mode of " + path, errno);
  out.commit();
}

void undo_unit(const Host& host, const Json& record) {
  const std::string unit = text(record, "name"), before = text(record, "enabled");
  const auto systemctl = [&](const char* verb) {
    host.run_checked({.argv = {"systemctl", verb, unit}, .timeout = std::chrono::minutes(2)});
  };
  const std::string now = systemctl_word(host, "is-enabled", unit);
  if (now == "masked" && before != "masked") systemctl("unmask");
  if (!record.value("active", false) && systemctl_word(host, "is-active", unit) == "active")
    systemctl("stop");
  if (starts_at_boot(now) && !starts_at_boot(before)) systemctl("disable");
  if (starts_at_boot(before) && !starts_at_boot(now)) systemctl("enable");
}

void undo_swap(const Host& host, const Json& record) {
  std::vector<std::string> argv = {"swapon"};
  // Negative priorities are the kernel's own choice, and cannot be asked for.
  const std::string priority = text(record, "priority");
  if (!priority.empty() && !priority.starts_with("-"))
    argv.insert(argv.end(), {"--priority", priority});
  argv.push_back(text(record, "name"));
  host.run_checked({.argv = argv, .timeout = std::chrono::minutes(1)});
}

}  // namespace

UndoLog::UndoLog(Host& host, Journal& journal)
    : host_(host), journal_(journal), snapshot_(HostSnapshot::read(host).value_or(HostSnapshot())) {
  for (const Json& record : journal_.undo_records())
    seen_.emplace(text(record, "touch"), text(record, "name"));
  host_.on_touch([this](Touch touch, const std::string& name) { before(touch, name); });
}

UndoLog::~UndoLog() {
  host_.on_touch({});
}

bool UndoLog::wanted(Touch touch, const std::string& name) const {
  if (seen_.contains({word_of(touch), name})) return false;
  if (touch != Touch::file) return host_.live();
  if (is_own_file(name)) return false;
  return !is_cluster_file(name) || snapshot_.had(name);
}

void UndoLog::before(Touch touch, const std::string& name) {
  if (!wanted(touch, name)) return;
  Json record = Json::object();
  switch (touch) {
    case Touch::file:
      record = file_before(host_, name);
      break;
    case Touch::unit:
      record = unit_before(host_, name);
      break;
    case Touch::sysctl:
      if (const auto value = host_.read(sysctl_file(name))) record["value"] = trim(*value);
      break;
    case Touch::module:
      record["loaded"] = module_is_there(host_, name);
      break;
    case Touch::swap:
      record = swap_before(host_, name);
      break;
  }
  record["touch"] = word_of(touch);
  record["name"] = name;
  journal_.write_undo(record);
  seen_.emplace(word_of(touch), name);
}

std::vector<UndoAction> undo_actions(const Host& host, const Journal& journal) {
  std::vector<UndoAction> result;
  const auto& records = journal.undo_records();
  for (auto it = records.rbegin(); it != records.rend(); ++it)
    if (std::string shown = difference(host, *it); !shown.empty())
      result.push_back({*it, std::move(shown)});
  return result;
}

void undo(Host& host, const UndoAction& action) {
  const std::string touch = text(action.record, "touch"), name = text(action.record, "name");
  if (touch == "file") undo_file(host, action.record);
  if (touch == "unit") undo_unit(host, action.record);
  if (touch == "sysctl") set_sysctl(host, name, text(action.record, "value"));
  if (touch == "swap") undo_swap(host, action.record);
}

std::vector<std::string> units_that_ran(const Journal& journal) {
  std::vector<std::string> result;
  for (const Json& record : journal.undo_records())
    if (text(record, "touch") == "unit" && record.value("active", false))
      result.push_back(text(record, "name"));
  return result;
}

std::vector<std::string> modules_loaded(const Journal& journal) {
  std::vector<std::string> result;
  for (const Json& record : journal.undo_records())
    if (text(record, "touch") == "module" && !record.value("loaded", true))
      result.push_back(text(record, "name"));
  return result;
}

}  // namespace kbundle
