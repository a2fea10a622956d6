// containerd's image store, through `ctr` in the namespace that the CRI plugin uses.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "installer/host.hpp"
#include "installer/runtimes/runtime.hpp"

namespace kbundle {

/// Where a running containerd is, and where it keeps its files.
struct ContainerdAccess {
  const Host& host;
  std::string ctr;          ///< path of the program
  std::string address;      ///< of the socket
  std::string snapshotter;  ///< empty: containerd's default
  std::string root;         ///< "/var/lib/containerd"
};

/// The folder of its content store, on the node.
std::string content_store(const ContainerdAccess& access);

/// `ctr --address … -n k8s.io ARGUMENTS`.
std::vector<std::string> ctr_argv(const ContainerdAccess& access,
                                  const std::vector<std::string>& arguments);
/// Runs that; a non-zero exit is a value.
CommandResult run_ctr(const ContainerdAccess& access, const std::vector<std::string>& arguments,
                      std::chrono::milliseconds timeout = std::chrono::minutes(2));
/// As above; a non-zero exit is Error{phase}.
CommandResult run_ctr_checked(const ContainerdAccess& access,
                              const std::vector<std::string>& arguments,
                              std::chrono::milliseconds timeout = std::chrono::minutes(2));

/// The calls of Runtime that are about images; see there.
class ContainerdImages {
 public:
  explicit ContainerdImages(ContainerdAccess access) : access_(std::move(access)) {}

  std::vector<RuntimeImage> images() const;
  /// `unpack` false: the content alone (`ctr images import --no-unpack`).
  void load(const std::function<void(Sink&)>& feed, bool unpack = true) const;
  void pin(const std::string& image) const;
  std::vector<DamagedBlob> damaged_content(const std::vector<BlobRecord>& wanted, bool deep) const;
  void drop_content(const std::vector<Digest>& digests) const;
  void sync() const;

 private:
  /// Where the content store keeps a blob's bytes.
  std::string blob_path(const Digest& digest) const;

  ContainerdAccess access_;
};

/// From `ctr images check` and `ctr images ls`, by name.
std::map<std::string, RuntimeImage> parse_ctr_images(const std::string& check,
                                                     const std::string& list);

}  // namespace kbundle
