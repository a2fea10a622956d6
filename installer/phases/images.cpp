// The images of the bundle under the names the cluster will ask for, straight from the bundle into
// the runtime; then compared with the inventory and kept from garbage collection.
#include <algorithm>
#include <map>

#include "bundles/image_stream.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

class ImagesPhase final : public Phase {
 public:
  explicit ImagesPhase(Context& context)
      : Phase("images", "container images", std::chrono::minutes(60)), context_(context) {}

  PhaseCheck check() override {
    const auto images = context_.images_for_role();
    std::vector<std::string> actions;
    if (!context_.host.live())
      return PhaseCheck::conflict("images are loaded on the running host only");
    if (!context_.runtime->answers()) {
      for (const ImageRecord* image : images)
        for (const std::string& name : context_.names_on_node(*image))
          actions.push_back("load " + name + " " + image->digest.short_hex());
      return PhaseCheck::todo("what the runtime holds is seen when it answers", actions);
    }
    const auto present = by_name();
    for (const ImageRecord* image : images) {
      for (const std::string& name : context_.names_on_node(*image)) {
        const auto found = present.find(name);
        const bool loaded = found != present.end() && found->second.complete &&
                            found->second.digest == image->digest;
        if (!loaded) {
          actions.push_back("load " + name + " " + image->digest.short_hex());
        } else if (!found->second.pinned) {
          actions.push_back("pin " + name);
        }
      }
    }
    if (actions.empty())
      return PhaseCheck::done(std::to_string(images.size()) + " images are there, digests equal");
    return PhaseCheck::todo("images are loaded", actions);
  }

  void apply() override {
    const auto images = context_.images_for_role();
    auto present = by_name();
    std::vector<StreamImage> missing;
    std::uint64_t total = 0;
    for (const ImageRecord* image : images) {
      const auto names = context_.names_on_node(*image);
      const bool loaded = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
        const auto found = present.find(name);
        return found != present.end() && found->second.complete &&
               found->second.digest == image->digest;
      });
      if (loaded) continue;
      missing.push_back({image, names});
      for (const Digest& digest : image_blobs(*context_.bundle, *image, context_.platform))
        if (const BlobRecord* blob = context_.inventory.find_blob(digest)) total += blob->size;
    }
    if (!missing.empty()) {
      auto task =
          context_.progress.start("load " + std::to_string(missing.size()) + " images", total);
      // One by one: a run that is killed in the middle keeps what was loaded.
      for (const StreamImage& image : missing) {
        with_context("load " + image.names.front(), [&] {
          context_.runtime->load([&](Sink& out) {
            write_image_stream(*context_.bundle, {image}, context_.platform, out,
                               [&](std::uint64_t bytes) { task->advance(bytes); });
          });
        });
      }
      task->done();
      present = by_name();
    }
    compare(images, present);
    for (const ImageRecord* image : images)
      for (const std::string& name : context_.names_on_node(*image))
        if (!present.at(name).pinned) context_.runtime->pin(name);
  }

 private:
  std::map<std::string, RuntimeImage> by_name() const {
    std::map<std::string, RuntimeImage> result;
    for (RuntimeImage& image : context_.runtime->images()) {
      std::string name = image.name;
      result.emplace(std::move(name), std::move(image));
    }
    return result;
  }

  // Promise 1: what runs here has the digest that upstream has.
  void compare(const std::vector<const ImageRecord*>& images,
               const std::map<std::string, RuntimeImage>& present) const {
    std::vector<std::string> wrong;
    for (const ImageRecord* image : images) {
      for (const std::string& name : context_.names_on_node(*image)) {
        const auto found = present.find(name);
        if (found == present.end()) {
          wrong.push_back(name + ": not there after the import");
        } else if (found->second.digest != image->digest) {
          wrong.push_back(name + ": " + found->second.digest.str() + " instead of " +
                          image->digest.str());
        } else if (!found->second.complete) {
          wrong.push_back(name + ": its content is not complete or not unpacked");
        }
      }
    }
    if (!wrong.empty())
      throw Error(ExitCode::phase,
                  "images in " + context_.runtime->name() + " are not what the bundle holds:\n  " +
                      join(wrong, "\n  "),
                  "look into `ctr -n k8s.io images check` and the runtime's journal");
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<Phase> make_images_phase(Context& context) {
  return std::make_unique<ImagesPhase>(context);
}

}  // namespace kbundle
