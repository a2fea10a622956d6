// Pods: their containers, mounts and images.
#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/cluster_names.hpp"
#include "installer/mounts.hpp"
#include "installer/reset/processes.hpp"
#include "installer/reset/steps.hpp"

namespace kbundle {
namespace {

class PodsStep final : public Phase {
 public:
  explicit PodsStep(ResetContext& context)
      : Phase("pods", "stop and remove pods", std::chrono::minutes(10)), context_(context) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    for (const std::string& container : containers())
      actions.push_back("remove container " + container.substr(0, 13));
    if (actions.empty())
      for (const PodProcess& process : processes()) actions.push_back("kill " + process.shown);
    if (actions.empty()) return PhaseCheck::done("no pod is here");
    return PhaseCheck::todo("pods are here", actions);
  }

  void apply() override {
    wake_runtime();
    for (const std::string& container : containers()) {
      context_.attempt(id(), [&] { context_.runtime->remove_container(container); });
      context_.host.check_deadline("containers to be removed");
    }
    const auto left = processes();
    if (left.empty()) return;
    kill_processes(context_.host, left);
    for (const std::string& container : containers())
      context_.attempt(id(), [&] { context_.runtime->remove_container(container); });
  }

 private:
  std::vector<std::string> containers() const {
    std::vector<std::string> result;
    for (const std::string& container : context_.runtime->containers())
      if (!context_.snapshot.containers.contains(container)) result.push_back(container);
    return result;
  }

  // A site's own pods without a kubelet are not told apart by process: with them, the runtime's
  // word counts alone.
  std::vector<PodProcess> processes() const {
    if (!context_.snapshot.containers.empty()) return {};
    return pod_processes(context_.host, false);
  }

  // It was stopped, or has crashed: its containers are removed best by itself.
  void wake_runtime() const {
    const Host& host = context_.host;
    if (context_.runtime->answers() || !host.program(context_.runtime->name())) return;
    if (!host.run({.argv = {"systemctl", "start", context_.runtime->unit()},
                   .timeout = std::chrono::seconds(60)})
             .ok())
      return;
    for (int i = 0; i < 20 && !context_.runtime->answers(); ++i)
      host.pause(std::chrono::milliseconds(500), context_.runtime->name());
  }

  ResetContext& context_;
};

class MountsStep final : public Phase {
 public:
  explicit MountsStep(ResetContext& context)
      : Phase("mounts", "unmount what pods had", std::chrono::minutes(3)), context_(context) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    for (const std::string& target : pod_mounts(context_)) actions.push_back("unmount " + target);
    if (actions.empty()) return PhaseCheck::done("nothing is mounted");
    return PhaseCheck::todo("volumes and containers are mounted", actions);
  }

  void apply() override {
    for (const std::string& target : pod_mounts(context_)) {
      const Host& host = context_.host;
      const auto limit = std::chrono::seconds(20);
      if (host.run({.argv = {"umount", target}, .timeout = limit}).ok()) continue;
      // A server that is gone, or a process that stands in it.
      context_.attempt(id(), [&] {
        host.run_checked({.argv = {"umount", "-l", target}, .timeout = limit});
      });
    }
  }

 private:
  ResetContext& context_;
};

class ImagesStep final : public Phase {
 public:
  explicit ImagesStep(ResetContext& context)
      : Phase("images", "remove images", std::chrono::minutes(15)), context_(context) {}

  PhaseCheck check() override {
    if (context_.options.keep_images && !context_.runtime_goes())
      return PhaseCheck::done("kept: --keep-images");
    if (context_.runtime_goes()) return PhaseCheck::done("they go with the runtime's own data");
    if (!context_.snapshot.runtime_answered) {
      context_.notes.insert("which images were here before is not known, as " +
                            context_.runtime->name() +
                            " did not run then: all stay (ctr -n k8s.io images ls)");
      return PhaseCheck::done("not known which were here before");
    }
    std::vector<std::string> actions;
    if (!context_.runtime->answers()) {
      if (context_.host.program(context_.runtime->name()))
        actions.push_back("remove the images that were not here before (" +
                          context_.runtime->name() + " does not answer)");
    } else {
      for (const std::string& name : images()) actions.push_back("remove image " + name);
      for (const std::string& lease : leases()) actions.push_back("remove lease " + lease);
    }
    if (actions.empty()) return PhaseCheck::done("none that was not here before");
    return PhaseCheck::todo("images were loaded", actions);
  }

  void apply() override {
    if (!context_.runtime->answers()) {
      context_.problem(id(), context_.runtime->name() + " does not answer");
      return;
    }
    for (const std::string& lease : leases())
      context_.attempt(id(), [&] { context_.runtime->remove_lease(lease); });
    context_.attempt(id(), [&] { context_.runtime->remove_images(images()); });
  }

 private:
  std::vector<std::string> images() const {
    std::vector<std::string> result;
    for (const std::string& name : context_.runtime->image_names())
      if (!context_.snapshot.images.contains(name)) result.push_back(name);
    return result;
  }

  std::vector<std::string> leases() const {
    std::vector<std::string> result;
    for (const std::string& lease : context_.runtime->leases())
      if (!context_.snapshot.leases.contains(lease)) result.push_back(lease);
    return result;
  }

  ResetContext& context_;
};

}  // namespace

std::vector<std::string> pod_mounts(const ResetContext& context) {
  auto folders = cluster_names::mount_folders();
  if (context.runtime_goes())
    folders.insert(folders.end(), {"/run/containerd/", "/var/lib/containerd/"});
  std::vector<std::string> result;
  for (const std::string& target : mount_points(context.host)) {
    const bool theirs = std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
      return is_at_or_below(target, folder) ||
             ((folder.ends_with("-") || folder.ends_with("/")) && target.starts_with(folder));
    });
    if (theirs && !context.snapshot.mounts.contains(target)) result.push_back(target);
  }
  std::reverse(result.begin(), result.end());
  return result;
}

std::vector<std::string> mounts_in_the_way(const ResetContext& context) {
  auto mounts = mount_points(context.host);
  if (!context.options.dry_run) return mounts;
  const auto going = pod_mounts(context);
  std::erase_if(mounts, [&](const std::string& target) {
    return std::find(going.begin(), going.end(), target) != going.end();
  });
  return mounts;
}

std::unique_ptr<Phase> make_pods_step(ResetContext& context) {
  return std::make_unique<PodsStep>(context);
}

std::unique_ptr<Phase> make_mounts_step(ResetContext& context) {
  return std::make_unique<MountsStep>(context);
}

std::unique_ptr<Phase> make_images_step(ResetContext& context) {
  return std::make_unique<ImagesStep>(context);
}

}  // namespace kbundle
