#include "installer/image_loading.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "installer/image_schedule.hpp"
#include "installer/layer_tar.hpp"
#include "installer/loading_mark.hpp"

namespace kbundle {
namespace {

// Each takes a process of ctr and a stream of the bundle; containerd has one disk and one database.
constexpr std::size_t kMostAtOnce = 4;

std::map<std::string, RuntimeImage> by_name(const Runtime& runtime) {
  std::map<std::string, RuntimeImage> result;
  for (RuntimeImage& image : runtime.images()) {
    std::string name = image.name;
    result.emplace(std::move(name), std::move(image));
  }
  return result;
}

// Why a name is not as the bundle has it; empty when it is.
std::string wrong(const std::map<std::string, RuntimeImage>& present, const std::string& name,
                  const Digest& wanted) {
  const auto found = present.find(name);
  if (found == present.end()) return "not there";
  if (found->second.digest != wanted)
    return found->second.digest.str() + " instead of " + wanted.str();
  if (!found->second.complete) return "its content is not complete or not unpacked";
  return {};
}

LoadJob job_of(const Context& context, std::vector<StreamImage> images) {
  return {.bundle = *context.bundle,
          .platform = context.platform,
          .images = std::move(images),
          .whole = {},
          .on_bytes = {}};
}

void drop_damaged(Runtime& runtime, const ImagesState& state) {
  std::vector<Digest> damaged;
  for (const DamagedBlob& blob : state.damaged) damaged.push_back(blob.digest);
  runtime.drop_content(damaged);
}

class Loading {
 public:
  Loading(Context& context, const ImagesState& state)
      : context_(context), missing_(state.missing), schedule_(items(), state.whole) {}

  void run() {
    start(bytes());
    const std::size_t workers =
        std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostAtOnce);
    for_each_parallel(std::min(workers, missing_.size()), workers, [this](std::size_t) { work(); });
    task_->done();
  }

  // False, having said why: nothing is lost, run() does it.
  bool run_fast() {
    std::string why = context_.runtime->unfit_for_fast_load();
    if (why.empty()) {
      std::uint64_t total = bytes();
      std::set<Digest> layers;
      for (const auto& one : missing_)
        for (const Descriptor& layer :
             image_parts(*context_.bundle, *one.image.image, context_.platform).layers)
          if (layers.insert(layer.digest).second) total += layer.size;
      start(total);
      LoadJob job = job_of(context_, missing_images());
      job.whole = schedule_.present();
      job.on_bytes = [this](std::uint64_t count) { task_->advance(count); };
      try {
        const auto left = context_.runtime->load_fast(job);
        task_->done("unpacked by kbundle");
        for (const std::string& line : left)
          context_.progress.line("  left to " + context_.runtime->name() + ": " + line);
        return true;
      } catch (const UnusualLayer& unusual) {
        why = std::string("a layer is unusual: ") + unusual.what();
      } catch (const Error& error) {
        if (error.code() != ExitCode::phase) throw;
        why = error.message();
      }
      task_.reset();
    }
    context_.progress.warn("the images are loaded without --fast-load: " + why);
    return false;
  }

 private:
  void start(std::uint64_t total) {
    task_ = context_.progress.start("load " + std::to_string(missing_.size()) + " images", total);
  }

  std::vector<StreamImage> missing_images() const {
    std::vector<StreamImage> images;
    for (const auto& one : missing_) images.push_back(one.image);
    return images;
  }

  // That are brought: each blob once, where the runtime takes a part of an image.
  std::uint64_t bytes() const {
    std::set<Digest> counted = schedule_.present();
    std::uint64_t total = 0;
    for (const auto& one : missing_)
      for (const Digest& digest :
           image_blobs(*context_.bundle, *one.image.image, context_.platform))
        if (counted.insert(digest).second || !context_.runtime->takes_partial_archives())
          total += context_.inventory.find_blob(digest)->size;
    return total;
  }

  std::vector<ImageSchedule::Item> items() const {
    std::vector<ImageSchedule::Item> items;
    for (const auto& one : missing_) {
      ImageSchedule::Item item;
      const auto parts = image_parts(*context_.bundle, *one.image.image, context_.platform);
      for (const Descriptor& layer : parts.layers) {
        item.layers.insert(layer.digest);
        item.size += layer.size;
      }
      items.push_back(std::move(item));
    }
    return items;
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (!failed_ && !schedule_.all_started()) {
      const auto item = schedule_.start();
      if (!item) {
        changed_.wait(lock);
        continue;
      }
      const auto present =
          context_.runtime->takes_partial_archives() ? schedule_.present() : std::set<Digest>();
      lock.unlock();
      try {
        load(missing_[*item].image, present);
      } catch (...) {
        lock.lock();
        failed_ = true;
        changed_.notify_all();
        throw;
      }
      lock.lock();
      schedule_.finish(*item);
      changed_.notify_all();
    }
  }

  // An image at a time: what is there stays when the run is killed.
  void load(const StreamImage& image, const std::set<Digest>& present) {
    with_context("load " + image.names.front(), [&] {
      context_.runtime->load([&](Sink& out) {
        write_image_stream(
            *context_.bundle, {image}, context_.platform, out,
            [this](std::uint64_t bytes) { task_->advance(bytes); }, present);
      });
    });
  }

  Context& context_;
  const std::vector<ImagesState::Missing>& missing_;
  ImageSchedule schedule_;
  std::unique_ptr<ProgressTask> task_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool failed_ = false;
};

}  // namespace

ImagesState look_at_images(const Context& context, bool deep) {
  struct Looked {
    const ImageRecord* image;
    std::vector<std::string> names;
    std::string why;  // empty: right
    std::vector<Digest> blobs;
  };
  std::vector<Looked> images;
  std::map<Digest, BlobRecord> wanted;
  const auto present = by_name(*context.runtime);
  for (const ImageRecord* image : context.images_for_role()) {
    Looked looked{image, context.names_on_node(*image), {}, {}};
    for (const std::string& name : looked.names)
      if (looked.why.empty())
        looked.why = wrong(present, name, context.runtime->listed_digest(*image));
    if (context.bundle != nullptr) {
      looked.blobs = image_blobs(*context.bundle, *image, context.platform);
    } else if (const auto known = context.image_blobs.find(image->digest);
               known != context.image_blobs.end()) {
      looked.blobs = known->second;
    }
    for (const Digest& digest : looked.blobs)
      wanted.emplace(digest, *context.inventory.find_blob(digest));
    images.push_back(std::move(looked));
  }

  std::vector<BlobRecord> records;
  for (const auto& [digest, record] : wanted) records.push_back(record);
  std::map<Digest, DamagedBlob> damaged;
  for (auto& blob : context.runtime->damaged_content(records, deep))
    damaged.emplace(blob.digest, blob);

  const auto mark = read_loading_mark(context.host);
  ImagesState state;
  state.images = images.size();
  state.settle = mark.has_value();
  std::set<Digest> to_drop;
  for (Looked& looked : images) {
    const bool recorded = looked.why.empty();
    for (const Digest& digest : looked.blobs) {
      const auto found = damaged.find(digest);
      // What was never loaded is not damaged; a stump of it is, and an import would keep it.
      if (found == damaged.end() || (!recorded && found->second.gone)) continue;
      if (looked.why.empty())
        looked.why = "its blob " + digest.short_hex() + ": " + found->second.why;
      if (to_drop.insert(digest).second) state.damaged.push_back(found->second);
    }
    const bool loading = mark && std::any_of(looked.names.begin(), looked.names.end(),
                                             [&mark](const std::string& name) {
                                               return mark->names.contains(name);
                                             });
    if (loading && mark->other_boot) {
      state.unsafe.push_back({looked.image, looked.names});
      looked.why = "the host went down while it was loaded";
    }
    if (!looked.why.empty()) {
      state.missing.push_back({{looked.image, looked.names}, looked.why});
      continue;
    }
    if (loading && mark->fast) state.unsettled.push_back({looked.image, looked.names});
    state.whole.insert(looked.blobs.begin(), looked.blobs.end());
    for (const std::string& name : looked.names)
      if (!present.at(name).pinned) state.unpinned.push_back(name);
  }
  return state;
}

void load_images(Context& context, const ImagesState& state) {
  Runtime& runtime = *context.runtime;
  if (!state.unsafe.empty()) runtime.drop_images(job_of(context, state.unsafe));
  if (!state.unsettled.empty()) runtime.settle(job_of(context, state.unsettled));
  std::optional<ImagesState> now;
  if (state.missing.empty()) {
    now = state;
    if (state.settle) {
      runtime.sync();
      remove_loading_mark(context.host);
    }
  } else {
    // What an earlier run loaded and did not sync stays in it.
    LoadingMark mark = read_loading_mark(context.host).value_or(LoadingMark{});
    mark.fast |= context.options.fast_load;
    for (const auto& one : state.missing)
      mark.names.insert(one.image.names.begin(), one.image.names.end());
    write_loading_mark(context.host, mark);
    drop_damaged(runtime, state);
    Loading loading(context, state);
    if (!context.options.fast_load || !loading.run_fast()) {
      loading.run();
    } else if (auto rest = look_at_images(context, context.deep_images); rest.good()) {
      now = std::move(rest);
    } else {
      context.progress.warn("--fast-load did not bring " +
                            rest.missing.front().image.names.front() + " (" +
                            rest.missing.front().why + "): " + runtime.name() + " loads it itself");
      drop_damaged(runtime, rest);
      Loading(context, rest).run();
    }
    runtime.sync();
    remove_loading_mark(context.host);
  }
  if (!now) now = look_at_images(context, context.deep_images);
  // Promise 1: what runs here has the digest that upstream has.
  if (!now->good()) {
    std::vector<std::string> lines;
    for (const auto& one : now->missing) lines.push_back(one.image.names.front() + ": " + one.why);
    throw Error(
        ExitCode::phase,
        "images in " + runtime.name() + " are not what the bundle holds:\n  " + join(lines, "\n  "),
        "look into `ctr -n k8s.io images check` and the runtime's journal");
  }
  for_each_parallel(now->unpinned.size(), kMostAtOnce,
                    [&](std::size_t i) { runtime.pin(now->unpinned[i]); });
}

}  // namespace kbundle
