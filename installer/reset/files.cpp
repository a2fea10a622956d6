// The cluster's files; the administrator's kubectl configuration; kbundle's own state.
#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "installer/cluster_names.hpp"
#include "installer/context.hpp"
#include "installer/reset/steps.hpp"
#include "installer/reset/trees.hpp"

namespace kbundle {
namespace {

constexpr const char* kRemoved = "/var/lib/.kbundle-removed";

class ClusterFilesStep final : public Phase {
 public:
  explicit ClusterFilesStep(ResetContext& context)
      : Phase("cluster-files", "remove the cluster's files", std::chrono::minutes(10)),
        context_(context) {}

  PhaseCheck check() override {
    std::vector<std::string> mounted, actions;
    for (const std::string& path : paths(mounted)) actions.push_back("remove " + path);
    for (const std::string& path : mounted)
      actions.push_back("remove " + path + ", which has something mounted in it");
    for (const std::string& folder : empty_folders())
      actions.push_back("remove the empty folder " + folder);
    if (actions.empty()) return PhaseCheck::done("none is here");
    return PhaseCheck::todo("files of the cluster are here", actions);
  }

  void apply() override {
    std::vector<std::string> mounted;
    for (const std::string& path : paths(mounted))
      context_.attempt(id(), [&] { remove_tree(context_.host, path); });
    for (const std::string& path : mounted)
      context_.problem(id(), path + " has something mounted in it, which is not touched");
    for (const std::string& folder : cluster_names::shared_folders())
      if (!context_.snapshot.had(folder))
        context_.attempt(id(), [&] { remove_if_empty(context_.host, folder); });
  }

 private:
  std::vector<std::string> paths(std::vector<std::string>& mounted) const {
    std::vector<std::string> result;
    const auto mounts = mounts_in_the_way(context_);
    for (const std::string& folder : cluster_names::folders()) {
      // The site's own etcd may run on this host.
      if (context_.external_etcd && folder == "/var/lib/etcd") continue;
      const auto found = new_paths(context_.host, context_.snapshot, folder, mounts, mounted);
      result.insert(result.end(), found.begin(), found.end());
    }
    for (const std::string& file : cluster_names::files())
      if (context_.host.exists(file) && !context_.snapshot.had(file)) result.push_back(file);
    return result;
  }

  std::vector<std::string> empty_folders() const {
    std::vector<std::string> result;
    for (const std::string& folder : cluster_names::shared_folders())
      if (context_.host.exists(folder) && !context_.snapshot.had(folder) &&
          context_.host.list(folder).empty())
        result.push_back(folder);
    return result;
  }

  ResetContext& context_;
};

// ~/.kube/config of the person who installed: only while it is what kbundle wrote.
class KubectlConfigStep final : public Phase {
 public:
  explicit KubectlConfigStep(ResetContext& context)
      : Phase("kubectl-config", "remove the copy of admin.conf", std::chrono::minutes(1)),
        context_(context) {}

  PhaseCheck check() override {
    const auto admin = context_.host.read(node_path::admin_config);
    std::vector<std::string> actions;
    for (const std::string& path : copies()) {
      const auto text = context_.host.read(path);
      if (!text) continue;
      if (admin && *text == *admin) {
        actions.push_back("remove " + path);
      } else {
        context_.notes.insert(path + " is no longer the copy of admin.conf, and stays");
      }
    }
    if (actions.empty()) return PhaseCheck::done("there is none");
    return PhaseCheck::todo("a copy is here", actions);
  }

  void apply() override {
    const auto admin = context_.host.read(node_path::admin_config);
    for (const std::string& path : copies())
      if (admin && context_.host.read(path) == admin)
        context_.attempt(id(), [&] { context_.host.remove(path); });
  }

 private:
  std::vector<std::string> copies() const {
    std::vector<std::string> result;
    for (const Json& record : context_.journal.undo_records())
      if (record.value("state", "") == "absent" &&
          record.value("name", "").ends_with("/.kube/config"))
        result.push_back(record.value("name", ""));
    return result;
  }

  ResetContext& context_;
};

}  // namespace

std::unique_ptr<Phase> make_cluster_files_step(ResetContext& context) {
  return std::make_unique<ClusterFilesStep>(context);
}

std::unique_ptr<Phase> make_kubectl_config_step(ResetContext& context) {
  return std::make_unique<KubectlConfigStep>(context);
}

void remove_own_state(const Host& host) {
  if (host.exists(kRemoved)) remove_tree(host, kRemoved);
  if (host.exists(node_path::state)) {
    // All that the journal was needed for is done: without it, a run after a kill removes the rest.
    // A folder of an overlay's lower layer cannot be renamed; there the journal goes first.
    std::error_code stays;
    std::filesystem::rename(host.at(node_path::state), host.at(kRemoved), stays);
    if (stays) {
      remove_tree(host, node_path::journal);
      fsync_folder(host.at(node_path::state));
      remove_tree(host, node_path::state);
    } else {
      fsync_folder(host.at(kRemoved).parent_path());
      remove_tree(host, kRemoved);
    }
  }
  // The lock is held; its folder is gone with the next start.
  for (const std::string& name : host.list("/run/kbundle"))
    if (name != "lock") remove_tree(host, "/run/kbundle/" + name);
}

}  // namespace kbundle
