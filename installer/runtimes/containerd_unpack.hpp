// Images into containerd without its unpacker: kbundle reads each layer once, and makes of it the
// snapshot (installer/layer_unpack) and the blob in containerd's content (containerd_content); then
// containerd makes the image records and finds everything there. docs/loading.md tells why and how.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/json.hpp"
#include "installer/layer_unpack.hpp"
#include "installer/runtimes/containerd_content.hpp"
#include "installer/runtimes/containerd_images.hpp"

namespace kbundle {

/// Why it cannot be used with this containerd; empty when it can.
std::string unfit_for_fast_load(const ContainerdAccess& access, const std::string& version);

/// The IDs that snapshots of layers with these diff IDs have, lowest first.
/// https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md#layer-chainid
std::vector<Digest> chain_ids(const std::vector<Digest>& diff_ids);

/// Where to unpack, from `ctr snapshots prepare --mounts`. UnusualLayer for mounts that are
/// neither a bind nor an overlay as containerd 1.x makes them.
LayerTarget target_of_mounts(const Json& mounts);

class ContainerdUnpack {
 public:
  /// Both must outlive it.
  ContainerdUnpack(const ContainerdAccess& access, const LoadJob& job);
  ContainerdUnpack(ContainerdAccess&&, const LoadJob&) = delete;

  /// See Runtime::load_fast, settle and drop_images.
  std::vector<std::string> run();
  void settle();
  void drop();

 private:
  struct Layer {
    Digest chain, diff, blob;
    std::string parent;  // chain ID; empty: the lowest
    std::uint64_t size = 0;
    std::uint64_t way = 0;  // with the largest that lie on it: bytes
    bool brings = false;    // the blob is to be kept, too
    bool unpacked = false;  // the snapshot is there already
    bool noted = false;     // its diff ID, on its blob
    bool parent_left = false;
    /// `left`: containerd unpacks it, when the images are recorded.
    enum class State { waiting, running, done, left } state = State::waiting;
  };

  void find_layers();
  void sort_layers();
  void remove_leftovers();
  void work();
  std::optional<std::size_t> next_layer();
  void unpack(Layer& layer);
  void bring(Layer& layer);
  void keep(Layer& layer, IncomingBlob blob);
  void note_diff(Layer& layer) const;
  void announce();
  void record();
  void unroot(const Layer& layer) const;
  CommandResult snapshots(const std::vector<std::string>& arguments) const;

  const ContainerdAccess& access_;
  const LoadJob& job_;
  ContainerdImages images_;
  std::vector<Layer> layers_;  // each chain ID once, in the order of their start
  std::set<Digest> layer_blobs_;
  std::map<Digest, Digest> snapshots_;  // of each image's config: the uppermost
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> left_;                         // why layers are left to containerd
  std::vector<std::pair<Layer*, IncomingBlob>> waiting_;  // for announce()
  bool announced_ = false;  // the images are recorded: what they name is not collected
  bool failed_ = false;
};

}  // namespace kbundle
