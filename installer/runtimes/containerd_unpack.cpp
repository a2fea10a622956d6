#include "installer/runtimes/containerd_unpack.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>

#include "bundles/image_stream.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "installer/layer_stream.hpp"

namespace kbundle {
namespace {

// What a killed run leaves is known by it; nothing else has such names.
constexpr const char* kKeyPrefix = "kbundle-unpack-";
constexpr const char* kSnapshotter = "overlayfs";
// `ctr snapshots` puts it on what it makes, so that it is not collected at once.
constexpr const char* kNoRoot = "containerd.io/gc.root=";
// On an image's config: its uppermost snapshot.
constexpr const char* kSnapshotOf = "containerd.io/gc.ref.snapshot.overlayfs=";
constexpr std::size_t kMostAtOnce = 4;

std::vector<Digest> diff_ids(const Bundle& bundle, const Digest& config, const std::string& name) {
  const std::string what = "the config of " + name;
  const Json document = parse_json(bundle.read_blob(config), what);
  const auto rootfs = document.find("rootfs");
  if (rootfs == document.end()) throw UnusualLayer(what + " has no rootfs");
  std::vector<Digest> result;
  for (const Json& one : json_array(*rootfs, "diff_ids", what)) {
    if (!one.is_string()) throw UnusualLayer(what + " has odd diff_ids");
    result.push_back(Digest::parse(one.get<std::string>()));
  }
  return result;
}

// Gives what another source gives, having written it to a sink.
class TeeSource final : public Source {
 public:
  TeeSource(std::unique_ptr<Source> from, Sink& to,
            const std::function<void(std::uint64_t)>& on_bytes)
      : from_(std::move(from)), to_(to), on_bytes_(on_bytes) {}
  std::size_t read(std::span<std::byte> buffer) override {
    const auto count = from_->read(buffer);
    to_.write(std::span<const std::byte>(buffer.first(count)));
    if (on_bytes_) on_bytes_(count);
    return count;
  }

 private:
  std::unique_ptr<Source> from_;
  Sink& to_;
  const std::function<void(std::uint64_t)>& on_bytes_;
};

std::string first_word(std::string_view line) {
  const auto start = std::min(line.find_first_not_of(' '), line.size());
  return std::string(line.substr(start, line.find_first_of(" \t", start) - start));
}

}  // namespace

std::string unfit_for_fast_load(const ContainerdAccess& access, const std::string& version) {
  if (!access.host.live() || !access.host.is_root()) return "it needs root on the running host";
  if (!access.snapshotter.empty() && access.snapshotter != kSnapshotter)
    return "containerd's snapshotter is " + access.snapshotter + ", not overlayfs";
  const auto have = Version::parse(version);
  if (!have || have->major != 1 || have->minor < 4)
    return "containerd " + version + " is not among those it is known to equal (1.4 to 1.7)";
  return unfit_for_incoming_blobs(access);
}

std::vector<Digest> chain_ids(const std::vector<Digest>& diff_ids) {
  std::vector<Digest> chain;
  for (const Digest& diff : diff_ids)
    chain.push_back(chain.empty() ? diff : sha256(chain.back().str() + " " + diff.str()));
  return chain;
}

LayerTarget target_of_mounts(const Json& mounts) {
  if (!mounts.is_array() || mounts.size() != 1 || !mounts[0].is_object())
    throw UnusualLayer("containerd wants more than one mount");
  const Json& mount = mounts[0];
  const std::string type = mount.value("Type", std::string());
  LayerTarget target;
  if (type == "bind") {
    target.folder = mount.value("Source", std::string());
  } else if (type == "overlay") {
    target.whiteouts = LayerTarget::Whiteouts::overlay;
    for (const Json& option : mount.value("Options", Json::array())) {
      const std::string text = option.is_string() ? option.get<std::string>() : std::string();
      if (text.starts_with("upperdir=")) {
        target.folder = text.substr(9);
      } else if (text.starts_with("lowerdir=")) {
        for (const auto& folder : split(text.substr(9), ':')) target.below.emplace_back(folder);
      } else if (!text.starts_with("workdir=") && text != "index=off") {
        throw UnusualLayer("containerd mounts with " + printable(text));
      }
    }
  }
  if (!target.folder.is_absolute())
    throw UnusualLayer("containerd mounts " + printable(type) + " without a folder");
  return target;
}

ContainerdUnpack::ContainerdUnpack(const ContainerdAccess& access, const LoadJob& job)
    : access_(access), job_(job), images_(access) {}

CommandResult ContainerdUnpack::snapshots(const std::vector<std::string>& arguments) const {
  std::vector<std::string> argv = {"snapshots", "--snapshotter", kSnapshotter};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_ctr_checked(access_, argv);
}

std::vector<std::string> ContainerdUnpack::run() {
  remove_leftovers();
  find_layers();
  // One more than processors: one waits for containerd and its disk now and then.
  const std::size_t workers =
      std::clamp<std::size_t>(std::thread::hardware_concurrency() + 1, 2, kMostAtOnce);
  // The first records the images beside the layers; all end on the first failure of any.
  for_each_parallel(workers + 1, workers + 1, [this](std::size_t worker) {
    try {
      worker == 0 ? announce() : work();
    } catch (...) {
      const std::lock_guard guard(mutex_);
      failed_ = true;
      changed_.notify_all();
      throw;
    }
  });
  record();
  return left_;
}

void ContainerdUnpack::settle() {
  remove_leftovers();
  find_layers();
  record();
}

void ContainerdUnpack::drop() {
  remove_leftovers();
  find_layers();
  for (const Layer& layer : layers_)
    if (layer.state == Layer::State::done) unroot(layer);
  for (const StreamImage& image : job_.images)
    for (const std::string& name : image.names)
      run_ctr(access_, {"images", "rm", "--sync", name});  // it may not be there
}

// Of a run that was killed while it unpacked.
void ContainerdUnpack::remove_leftovers() {
  for (const std::string& line : split(snapshots({"ls"}).output, '\n'))
    if (const auto key = first_word(line); key.starts_with(kKeyPrefix)) snapshots({"rm", key});
}

void ContainerdUnpack::find_layers() {
  std::set<std::string> there;
  for (const std::string& line : split(snapshots({"ls"}).output, '\n'))
    there.insert(first_word(line));
  std::set<Digest> known;
  std::set<Digest> brought = job_.whole;
  for (const StreamImage& image : job_.images) {
    const auto parts = image_parts(job_.bundle, *image.image, job_.platform);
    const auto diffs = diff_ids(job_.bundle, parts.config, image.names.front());
    if (diffs.size() != parts.layers.size())
      throw UnusualLayer(image.names.front() + " has blobs that are no layers");
    const auto chain = chain_ids(diffs);
    if (!chain.empty()) snapshots_.insert_or_assign(parts.config, chain.back());
    for (std::size_t i = 0; i < chain.size(); ++i) {
      layer_blobs_.insert(parts.layers[i].digest);
      if (!known.insert(chain[i]).second) continue;
      Layer layer{.chain = chain[i],
                  .diff = diffs[i],
                  .blob = parts.layers[i].digest,
                  .parent = i == 0 ? std::string() : chain[i - 1].str(),
                  .size = parts.layers[i].size,
                  .brings = brought.insert(parts.layers[i].digest).second,
                  .unpacked = there.contains(chain[i].str())};
      if (layer.unpacked && job_.on_bytes) job_.on_bytes(layer.size);
      if (layer.unpacked && !layer.brings) layer.state = Layer::State::done;
      layers_.push_back(std::move(layer));
    }
  }
  sort_layers();
}

// First what most is waiting for. Lower layers come first in the list.
void ContainerdUnpack::sort_layers() {
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    layer->way += layer->size;
    const auto parent = std::find_if(
        layer, layers_.rend(), [&](const Layer& one) { return one.chain.str() == layer->parent; });
    if (parent != layers_.rend()) parent->way = std::max(parent->way, layer->way);
  }
  std::stable_sort(layers_.begin(), layers_.end(),
                   [](const Layer& a, const Layer& b) { return a.way > b.way; });
}

// A layer whose parent is there; with the lock held. What lies on a layer that is left to
// containerd is left as well.
std::optional<std::size_t> ContainerdUnpack::next_layer() {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i].state != Layer::State::waiting) continue;
    const auto parent = std::find_if(layers_.begin(), layers_.end(), [&](const Layer& one) {
      return one.chain.str() == layers_[i].parent;
    });
    if (parent == layers_.end() || parent->state == Layer::State::done ||
        parent->state == Layer::State::left) {
      if (parent != layers_.end()) layers_[i].parent_left = parent->state == Layer::State::left;
      return i;
    }
  }
  return {};
}

void ContainerdUnpack::work() {
  std::unique_lock lock(mutex_);
  const auto any_waiting = [this] {
    return std::any_of(layers_.begin(), layers_.end(),
                       [](const Layer& one) { return one.state == Layer::State::waiting; });
  };
  while (!failed_ && any_waiting()) {
    const auto item = next_layer();
    if (!item) {
      changed_.wait(lock);
      continue;
    }
    Layer& layer = layers_[*item];
    layer.state = Layer::State::running;
    lock.unlock();
    std::string unusual;
    bool brought = false;
    if (!layer.parent_left && !layer.unpacked) {
      try {
        with_context("unpack the layer " + layer.blob.short_hex(), [&] { unpack(layer); });
        brought = true;
      } catch (const UnusualLayer& why) {
        unusual = why.what();
      }
    }
    if (layer.brings && !brought)
      with_context("bring the layer " + layer.blob.short_hex(), [&] { bring(layer); });
    lock.lock();
    const bool left = layer.parent_left || !unusual.empty();
    if (!unusual.empty()) left_.push_back("the layer " + layer.blob.short_hex() + ": " + unusual);
    layer.state = left ? Layer::State::left : Layer::State::done;
    changed_.notify_all();
  }
}

void ContainerdUnpack::unpack(Layer& layer) {
  const std::string key = kKeyPrefix + layer.chain.hex();
  std::vector<std::string> prepare = {"prepare", "--mounts", key};
  if (!layer.parent.empty()) prepare.push_back(layer.parent);
  const std::string mounts = snapshots(prepare).output;
  try {
    const auto target = target_of_mounts(parse_json(mounts, "`ctr snapshots prepare --mounts`"));
    std::optional<IncomingBlob> kept;
    auto blob = job_.bundle.open_blob(layer.blob);
    if (layer.brings) {
      kept.emplace(access_, layer.blob, layer.size);
      blob = std::make_unique<TeeSource>(std::move(blob), *kept, job_.on_bytes);
    }
    LayerStream stream(std::move(blob));
    unpack_layer(stream, target);
    if (const Digest got = stream.finish(); got != layer.diff)
      throw Error(ExitCode::verification,
                  "the layer " + layer.blob.str() + " unpacks to " + got.str() +
                      ", but the image's config promises " + layer.diff.str(),
                  "the image is broken where it came from; take another");
    snapshots({"commit", layer.chain.str(), key});
    if (kept) keep(layer, std::move(*kept));
  } catch (...) {
    // Not half a layer stays behind; when containerd is gone, the next run removes it.
    run_ctr(access_, {"snapshots", "--snapshotter", kSnapshotter, "rm", key});
    throw;
  }
  if (job_.on_bytes) job_.on_bytes(layer.size);
}

// The blob alone: its snapshot is there already, or left to containerd.
void ContainerdUnpack::bring(Layer& layer) {
  IncomingBlob kept(access_, layer.blob, layer.size);
  copy(*job_.bundle.open_blob(layer.blob), kept, job_.on_bytes);
  keep(layer, std::move(kept));
}

// Nobody waits for announce(): it ends what came before.
void ContainerdUnpack::keep(Layer& layer, IncomingBlob blob) {
  {
    const std::lock_guard guard(mutex_);
    if (!announced_) {
      waiting_.emplace_back(&layer, std::move(blob));
      return;
    }
  }
  blob.record();
  note_diff(layer);
}

// As containerd does when it unpacks.
void ContainerdUnpack::note_diff(Layer& layer) const {
  run_ctr_checked(access_, {"content", "label", layer.blob.str(),
                            "containerd.io/uncompressed=" + layer.diff.str()});
  layer.noted = true;
}

// The images, without their layers: from now on containerd's collector spares these.
void ContainerdUnpack::announce() {
  images_.load(
      [this](Sink& out) {
        write_image_stream(job_.bundle, job_.images, job_.platform, out, job_.on_bytes,
                           layer_blobs_);
      },
      false);
  {
    const std::lock_guard guard(mutex_);
    announced_ = true;
  }
  for (auto& [layer, blob] : waiting_) keep(*layer, std::move(blob));
  waiting_.clear();
}

// Ties blobs and snapshots together for containerd's garbage collector, as its own unpacker does.
// From then on `ctr`'s own mark is not needed. Where layers are left to containerd, an import of
// the manifests and configs alone has it unpack them.
void ContainerdUnpack::record() {
  const bool all_unpacked = std::all_of(layers_.begin(), layers_.end(), [](const Layer& layer) {
    return layer.unpacked || layer.state == Layer::State::done;
  });
  if (!all_unpacked)
    images_.load([this](Sink& out) {
      write_image_stream(job_.bundle, job_.images, job_.platform, out, nullptr, layer_blobs_);
    });
  const std::vector<std::pair<Digest, Digest>> tops(snapshots_.begin(), snapshots_.end());
  for_each_parallel(all_unpacked ? tops.size() : 0, kMostAtOnce, [&](std::size_t i) {
    run_ctr_checked(access_, {"content", "label", tops[i].first.str(),
                              std::string(kSnapshotOf) + tops[i].second.str()});
  });
  for_each_parallel(layers_.size(), kMostAtOnce, [this](std::size_t i) {
    Layer& layer = layers_[i];
    if (layer.state == Layer::State::left) return;
    if (!layer.noted) note_diff(layer);
    unroot(layer);
  });
}

void ContainerdUnpack::unroot(const Layer& layer) const {
  snapshots({"label", layer.chain.str(), kNoRoot});
}

}  // namespace kbundle
