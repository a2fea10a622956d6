// The CNI add-on: the bundled manifest with this site's image names, pod network and interface.
#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/cni_edit.hpp"
#include "installer/phases/phases.hpp"
#include "manifests/cni_manifest.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kManifestLimit = 4U << 20U;

class CniPhase final : public Phase {
 public:
  explicit CniPhase(Context& context)
      : Phase("cni", "network add-on " + context.inventory.cni, std::chrono::minutes(3)),
        context_(context),
        host_(context.host) {}

  PhaseCheck check() override {
    const std::string wanted = manifest();
    if (host_.read(node_path::cni_manifest) == wanted && cluster_has_it())
      return PhaseCheck::done("the cluster has its objects");
    std::vector<std::string> actions = {std::string("write ") + node_path::cni_manifest};
    for (const ManifestObject& object : objects_in_manifest(wanted, "the CNI manifest"))
      actions.push_back("apply " + object.kind + " " + (object.ns.empty() ? "" : object.ns + "/") +
                        object.name);
    actions.push_back(std::string("run kubectl apply -f ") + node_path::cni_manifest);
    return PhaseCheck::todo("the add-on is applied", actions);
  }

  void apply() override {
    host_.write(node_path::cni_manifest, manifest());
    host_.run_checked(context_.kubectl({"apply", "-f", node_path::cni_manifest}));
  }

 private:
  std::string manifest() const {
    const FileRecord* file = context_.inventory.find_file("cni-manifest", context_.platform);
    if (file == nullptr || context_.bundle == nullptr) return {};
    std::string text = context_.bundle->read_blob(file->digest, kManifestLimit);
    if (!context_.image_repository.empty()) {
      std::vector<std::pair<std::string, std::string>> names;
      for (const std::string& image :
           images_in_manifest(text, context_.platform.architecture, "the CNI manifest"))
        names.emplace_back(image, context_.renamed(image));
      text = retag_manifest(text, names);
    }
    if (!context_.inventory.cni.starts_with("flannel")) return text;
    CniEdits edits;
    if (context_.cni && context_.pod_subnet != context_.cni->pod_subnet)
      edits.pod_subnet = split(context_.pod_subnet, ',').at(0);
    // Always: the nodes that join later may have several addresses, and no default route.
    text = edit_flannel(text, edits);
    try {
      return edit_flannel(text, {"", true});
    } catch (const Error&) {
      if (context_.network.must_name_interface()) throw;
      return text;
    }
  }

  bool cluster_has_it() const {
    if (!host_.live() || !host_.exists(node_path::admin_config) || !context_.has_program("kubectl"))
      return false;
    return host_.run(context_.kubectl({"get", "-f", node_path::cni_manifest})).ok();
  }

  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_cni_phase(Context& context) {
  return std::make_unique<CniPhase>(context);
}

}  // namespace kbundle
