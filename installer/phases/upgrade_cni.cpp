// An add-on's objects change their names between versions (flannel's DaemonSets for each
// architecture, its namespace): two of its daemons on one node would fight. What the old manifest
// has and the new one has not goes before the new one is applied.
#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/node_backup.hpp"
#include "installer/upgrade_plan.hpp"
#include "manifests/cni_manifest.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kManifestLimit = 4U << 20U;

class OldCniPhase final : public Phase {
 public:
  explicit OldCniPhase(UpgradePlan& plan)
      : Phase("cni-old", "what the network add-on no longer has", std::chrono::minutes(3)),
        context_(plan.context),
        host_(plan.context.host) {}

  PhaseCheck check() override {
    if (context_.journal_ended(id())) return PhaseCheck::done("the old add-on's objects are gone");
    std::vector<std::string> actions;
    for (const ManifestObject& object : obsolete())
      actions.push_back("delete " + object.kind + " " + (object.ns.empty() ? "" : object.ns + "/") +
                        object.name);
    if (actions.empty()) return PhaseCheck::done("the add-on's objects have the same names");
    return PhaseCheck::todo("objects of the old add-on go", actions);
  }

  void apply() override {
    for (const ManifestObject& object : obsolete()) {
      std::vector<std::string> arguments = {"delete", object.kind, object.name,
                                            "--ignore-not-found"};
      if (!object.ns.empty()) arguments.insert(arguments.end(), {"-n", object.ns});
      const auto result = host_.run(context_.kubectl(std::move(arguments)));
      // A kind that this Kubernetes no longer has (PodSecurityPolicy) is gone with its objects.
      if (!result.ok() && result.errors.find("doesn't have a resource type") == std::string::npos)
        throw Error(ExitCode::phase, object.kind + " " + object.name + " could not be deleted: " +
                                         std::string(trim(result.errors)));
    }
  }

 private:
  std::vector<ManifestObject> obsolete() const {
    const FileRecord* file = context_.inventory.find_file("cni-manifest", context_.platform);
    const auto backup = NodeBackup::newest_for(host_, context_.bundle->id());
    const auto before = backup ? backup->content(host_, node_path::cni_manifest)
                               : host_.read(node_path::cni_manifest);
    if (file == nullptr || !before) return {};
    const auto now = objects_in_manifest(context_.bundle->read_blob(file->digest, kManifestLimit),
                                         "the CNI manifest");
    std::vector<ManifestObject> result;
    for (const ManifestObject& object :
         objects_in_manifest(*before, "the add-on's manifest in the backup")) {
      const bool stays = std::any_of(now.begin(), now.end(), [&](const ManifestObject& other) {
        return other.kind == object.kind && other.ns == object.ns && other.name == object.name;
      });
      if (!stays && object.kind != "Namespace") result.push_back(object);
    }
    return result;
  }

  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_old_cni_phase(UpgradePlan& plan) {
  return std::make_unique<OldCniPhase>(plan);
}

}  // namespace kbundle
