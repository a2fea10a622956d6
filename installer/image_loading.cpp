#include "installer/image_loading.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "installer/image_schedule.hpp"

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

class Loading {
 public:
  Loading(Context& context, const ImagesState& state)
      : context_(context), missing_(state.missing), schedule_(items(), state.whole) {}

  void run() {
    std::set<Digest> counted = schedule_.present();
    std::uint64_t total = 0;
    for (const auto& one : missing_)
      for (const Digest& digest :
           image_blobs(*context_.bundle, *one.image.image, context_.platform))
        if (counted.insert(digest).second || !context_.runtime->takes_partial_archives())
          total += context_.inventory.find_blob(digest)->size;
    task_ = context_.progress.start("load " + std::to_string(missing_.size()) + " images", total);
    const std::size_t workers =
        std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostAtOnce);
    for_each_parallel(std::min(workers, missing_.size()), workers, [this](std::size_t) { work(); });
    task_->done();
  }

 private:
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
    if (context.bundle != nullptr)
      looked.blobs = image_blobs(*context.bundle, *image, context.platform);
    for (const Digest& digest : looked.blobs)
      wanted.emplace(digest, *context.inventory.find_blob(digest));
    images.push_back(std::move(looked));
  }

  std::vector<BlobRecord> records;
  for (const auto& [digest, record] : wanted) records.push_back(record);
  std::map<Digest, DamagedBlob> damaged;
  for (auto& blob : context.runtime->damaged_content(records, deep))
    damaged.emplace(blob.digest, blob);

  ImagesState state;
  state.images = images.size();
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
    if (!looked.why.empty()) {
      state.missing.push_back({{looked.image, looked.names}, looked.why});
      continue;
    }
    state.whole.insert(looked.blobs.begin(), looked.blobs.end());
    for (const std::string& name : looked.names)
      if (!present.at(name).pinned) state.unpinned.push_back(name);
  }
  return state;
}

void load_images(Context& context, const ImagesState& state) {
  if (!state.missing.empty()) {
    std::vector<Digest> damaged;
    for (const DamagedBlob& blob : state.damaged) damaged.push_back(blob.digest);
    context.runtime->drop_content(damaged);
    Loading(context, state).run();
  }
  const auto now = state.missing.empty() ? state : look_at_images(context);
  // Promise 1: what runs here has the digest that upstream has.
  if (!now.good()) {
    std::vector<std::string> lines;
    for (const auto& one : now.missing) lines.push_back(one.image.names.front() + ": " + one.why);
    throw Error(ExitCode::phase,
                "images in " + context.runtime->name() + " are not what the bundle holds:\n  " +
                    join(lines, "\n  "),
                "look into `ctr -n k8s.io images check` and the runtime's journal");
  }
  for (const std::string& name : now.unpinned) context.runtime->pin(name);
  context.runtime->sync();
}

}  // namespace kbundle
