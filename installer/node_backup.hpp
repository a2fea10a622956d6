// What an upgrade keeps of the node as it was: one folder below /var/lib/kbundle/backup, in which
// files lie under their own paths, and backup.json, written last, tells of them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "installer/host.hpp"
#include "installer/kubeadm_files.hpp"

namespace kbundle {

struct NodeBackup {
  struct File {
    std::string path;  ///< as on the node: "/etc/kubernetes/admin.conf"
    std::uint64_t size = 0;
    Digest digest;
  };

  std::string folder;              ///< absolute, on the node
  std::string kubernetes_version;  ///< that the node had
  std::string target;              ///< id of the bundle it was upgraded to
  std::string created;             ///< RFC 3339
  std::vector<File> files;
  std::optional<File> etcd_snapshot;  ///< its path is "/etcd-snapshot.db"

  /// Of a folder. Error{verification} when backup.json is absent or no such thing.
  static NodeBackup read(const Host& host, const std::string& folder);
  /// The complete ones, oldest first.
  static std::vector<NodeBackup> all(const Host& host);
  /// The newest that was made for an upgrade to `target`.
  static std::optional<NodeBackup> newest_for(const Host& host, const std::string& target);
  /// Removes folders that a killed run left without backup.json.
  static void remove_unfinished(const Host& host);

  /// Copies a file of the node into the folder, synced; it is noted in `files`.
  void add(const Host& host, const std::string& path);
  /// The same for all regular files below a folder, but for those below `without`.
  void add_tree(const Host& host, const std::string& path, const std::string& without);
  void add_snapshot(const Host& host);
  /// Writes backup.json: from here on it counts.
  void finish(const Host& host) const;

  /// A file's content as it was; nullopt when it was not there.
  std::optional<std::string> content(const Host& host, const std::string& path) const;
  /// Puts back what is missing or broken and lies in the backup; certificate and key go together,
  /// as half a pair is none. `change` may edit a text (given its path). Returns the paths.
  std::vector<std::string> put_back(
      const Host& host, const FilesState& state,
      const std::function<std::string(const std::string& path, std::string text)>& change =
          nullptr) const;
  /// What put_back() would write.
  std::vector<std::string> to_put_back(const Host& host, const FilesState& state) const;
  std::uint64_t size() const;  ///< bytes in all
};

/// Bytes of the regular files below a folder, or of a file.
std::uint64_t size_below(const Host& host, const std::string& path);

}  // namespace kbundle
