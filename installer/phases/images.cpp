// The images of the bundle under the names the cluster will ask for, straight from the bundle into
// the runtime; then compared with the inventory and kept from garbage collection.
#include "installer/image_loading.hpp"
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

class ImagesPhase final : public Phase {
 public:
  explicit ImagesPhase(Context& context)
      : Phase("images", "container images", std::chrono::minutes(60)), context_(context) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    if (!context_.host.live())
      return PhaseCheck::conflict("images are loaded on the running host only");
    if (!context_.runtime->answers()) {
      for (const ImageRecord* image : context_.images_for_role())
        for (const std::string& name : context_.names_on_node(*image))
          actions.push_back("load " + name + " " + image->digest.short_hex());
      return PhaseCheck::todo("what the runtime holds is seen when it answers", actions);
    }
    const auto state = look_at_images(context_, context_.deep_images);
    for (const auto& [image, why] : state.missing)
      for (const std::string& name : image.names)
        actions.push_back("load " + name + " " + image.image->digest.short_hex() + " (" + why +
                          ")");
    for (const std::string& name : state.unpinned) actions.push_back("pin " + name);
    if (state.settle) actions.emplace_back("finish a load that was ended, sync the disk");
    if (actions.empty())
      return PhaseCheck::done(std::to_string(state.images) + " images are there, digests equal");
    return PhaseCheck::todo("images are loaded", actions);
  }

  void apply() override { load_images(context_, look_at_images(context_, context_.deep_images)); }

 private:
  Context& context_;
};

}  // namespace

std::unique_ptr<Phase> make_images_phase(Context& context) {
  return std::make_unique<ImagesPhase>(context);
}

}  // namespace kbundle
