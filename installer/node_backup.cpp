#include "installer/node_backup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/json.hpp"
#include "installer/context.hpp"

namespace kbundle {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr const char* kIndex = "/backup.json";
constexpr const char* kSnapshot = "/etcd-snapshot.db";

Json to_json(const NodeBackup::File& file) {
  return {{"path", file.path}, {"size", file.size}, {"digest", file.digest.str()}};
}

NodeBackup::File file_from(const Json& json, const std::string& what) {
  return {json_string(json, "path", what), json_unsigned(json, "size", what),
          Digest::parse(json_string(json, "digest", what))};
}

// Regular files below a folder, as paths of the node, sorted.
std::vector<std::string> files_below(const Host& host, const std::string& folder) {
  std::vector<std::string> result;
  const fs::path root = host.at("/");
  std::error_code error;
  for (fs::recursive_directory_iterator it(host.at(folder), error), end; !error && it != end;
       it.increment(error))
    if (it->is_regular_file() && !it->is_symlink())
      result.push_back("/" + it->path().lexically_relative(root).string());
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace

NodeBackup NodeBackup::read(const Host& host, const std::string& folder) {
  const std::string what = folder + kIndex;
  const auto text = host.read(what);
  if (!text)
    throw Error(ExitCode::verification, folder + " is no finished backup: it has no backup.json",
                "the backups of this node are below " + std::string(node_path::backups));
  const Json json = parse_json(*text, what);
  if (json_unsigned(json, "format", what) != kFormat)
    throw Error(ExitCode::verification, what + " is of a format that this kbundle does not read");
  NodeBackup backup;
  backup.folder = folder;
  backup.kubernetes_version = json_string(json, "kubernetes_version", what);
  backup.target = json_string(json, "target", what);
  backup.created = json_string(json, "created", what);
  for (const Json& file : json_array(json, "files", what))
    backup.files.push_back(file_from(file, what));
  if (json.contains("etcd_snapshot")) backup.etcd_snapshot = file_from(json["etcd_snapshot"], what);
  return backup;
}

std::vector<NodeBackup> NodeBackup::all(const Host& host) {
  std::vector<NodeBackup> result;
  for (const std::string& name : host.list(node_path::backups)) {
    try {
      result.push_back(read(host, std::string(node_path::backups) + "/" + name));
    } catch (const Error&) {
      // Unfinished, or not ours.
    }
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const NodeBackup& a, const NodeBackup& b) { return a.created < b.created; });
  return result;
}

std::optional<NodeBackup> NodeBackup::newest_for(const Host& host, const std::string& target) {
  auto backups = all(host);
  std::erase_if(backups, [&](const NodeBackup& backup) { return backup.target != target; });
  return backups.empty() ? std::nullopt : std::optional(backups.back());
}

void NodeBackup::remove_unfinished(const Host& host) {
  for (const std::string& name : host.list(node_path::backups)) {
    const std::string folder = std::string(node_path::backups) + "/" + name;
    if (!host.exists(folder + kIndex)) fs::remove_all(host.at(folder));
  }
}

void NodeBackup::add(const Host& host, const std::string& path) {
  const auto copied = host.at(folder + path);
  make_folders(copied.parent_path(), 0700);
  FdSource source = FdSource::open(host.at(path));
  AtomicFile out(copied, static_cast<mode_t>(host.mode(path)) & 0700U);
  const std::uint64_t size = copy(source, out);
  out.commit();
  files.push_back({path, size, *host.digest(folder + path)});
}

void NodeBackup::add_tree(const Host& host, const std::string& path, const std::string& without) {
  for (const std::string& file : files_below(host, path))
    if (without.empty() || !file.starts_with(without)) add(host, file);
}

void NodeBackup::add_snapshot(const Host& host) {
  const std::string file = folder + kSnapshot;
  const UniqueFd fd = open_file(host.at(file), O_RDONLY);
  if (::fsync(fd.get()) != 0) throw_errno("fsync " + file, errno);
  fsync_folder(host.at(folder));
  etcd_snapshot = File{kSnapshot, size_below(host, file), *host.digest(file)};
}

void NodeBackup::finish(const Host& host) const {
  Json json = {{"format", kFormat},
               {"kubernetes_version", kubernetes_version},
               {"target", target},
               {"created", created},
               {"files", Json::array()}};
  for (const File& file : files) json["files"].push_back(to_json(file));
  if (etcd_snapshot) json["etcd_snapshot"] = to_json(*etcd_snapshot);
  host.write(folder + kIndex, json.dump(2) + "\n", 0600);
}

std::optional<std::string> NodeBackup::content(const Host& host, const std::string& path) const {
  return host.read(folder + path);
}

std::vector<std::string> NodeBackup::to_put_back(const Host& host, const FilesState& state) const {
  std::vector<std::string> wrong = state.broken;
  wrong.insert(wrong.end(), state.missing.begin(), state.missing.end());
  wrong = with_other_halves(wrong);
  std::sort(wrong.begin(), wrong.end());
  wrong.erase(std::unique(wrong.begin(), wrong.end()), wrong.end());
  std::erase_if(wrong, [&](const std::string& file) { return !content(host, file).has_value(); });
  return wrong;
}

std::vector<std::string> NodeBackup::put_back(
    const Host& host, const FilesState& state,
    const std::function<std::string(const std::string& path, std::string text)>& change) const {
  const auto wrong = to_put_back(host, state);
  for (const std::string& file : wrong) {
    std::string text = content(host, file).value_or("");
    if (change) text = change(file, std::move(text));
    host.write(file, text, host.mode(folder + file));
  }
  return wrong;
}

std::uint64_t NodeBackup::size() const {
  std::uint64_t total = etcd_snapshot ? etcd_snapshot->size : 0;
  for (const File& file : files) total += file.size;
  return total;
}

std::uint64_t size_below(const Host& host, const std::string& path) {
  std::error_code error;
  if (fs::is_regular_file(host.at(path), error)) return fs::file_size(host.at(path), error);
  std::uint64_t total = 0;
  for (const std::string& file : files_below(host, path)) {
    const auto size = fs::file_size(host.at(file), error);
    if (!error) total += size;
  }
  return total;
}

}  // namespace kbundle
