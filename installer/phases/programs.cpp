// Every file of the bundle for this architecture, streamed into place: hashed while it is written,
// renamed only when the digest held. Then the kubelet's unit.
#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/bin_dir.hpp"
#include "installer/cluster_names.hpp"
#include "installer/phases/phases.hpp"
#include "installer/placed_files.hpp"
#include "installer/runtimes/cri_dockerd.hpp"
#include "manifests/templates.hpp"

namespace kbundle {
namespace {

constexpr const char* kUnit = "/etc/systemd/system/kubelet.service";
constexpr const char* kDropIn = "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf";

class ProgramsPhase final : public Phase {
 public:
  explicit ProgramsPhase(Context& context)
      : Phase("programs", "kubeadm, kubelet, kubectl, CNI plugins", std::chrono::minutes(20)),
        context_(context),
        host_(context.host) {}
  /// One component alone: an upgrade needs its kubeadm before anything else changes.
  ProgramsPhase(Context& context, const std::string& only)
      : Phase("programs/" + only, "the bundle's " + only, std::chrono::minutes(10)),
        context_(context),
        host_(context.host),
        only_(only) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    for (const FileRecord* file : wanted())
      if (!in_place(*file))
        actions.push_back(std::string(host_.exists(file->path) ? "replace " : "write ") +
                          file->path + " (" + file->component + " " + file->version + ", " +
                          human_size(file->size) + ")");
    for (const auto& [path, text] : units())
      if (host_.read(path) != text) actions.push_back(std::string("write ") + path);
    for (const auto& command : trust_commands(host_, placed()))
      actions.push_back("run " + to_shell(command));
    if (only_.empty() && host_.live() && !enabled())
      actions.emplace_back("run systemctl enable kubelet.service");
    if (actions.empty()) return PhaseCheck::done("all files are the bundle's");
    return PhaseCheck::todo("files of the bundle are put into place", actions);
  }

  void apply() override {
    std::uint64_t total = 0;
    std::vector<const FileRecord*> missing;
    for (const FileRecord* file : wanted()) {
      if (in_place(*file)) continue;
      missing.push_back(file);
      total += file->size;
    }
    if (context_.inventory.cni.starts_with("flannel"))
      host_.touching(Touch::file, cluster_names::flannel_plugin);  // its pods will write it
    {
      auto task =
          context_.progress.start("write " + std::to_string(missing.size()) + " files", total);
      for (const FileRecord* file : missing) place(*file, *task);
      task->done();
    }
    for (const auto& [path, text] : units())
      if (host_.read(path) != text) host_.write(path, text);
    if (!host_.live()) return;
    trust(host_, placed());
    if (!only_.empty()) return;
    host_.run_checked({.argv = {"systemctl", "daemon-reload"}});
    host_.touching(Touch::unit, "kubelet.service");
    host_.run_checked({.argv = {"systemctl", "enable", "kubelet.service"}});
  }

 private:
  std::vector<const FileRecord*> wanted() const {
    const bool own_runtime = context_.runtime->host_has_own();
    const bool has_runc = host_.program("runc").has_value();
    std::vector<const FileRecord*> result;
    for (const FileRecord& file : context_.inventory.files) {
      if (!file.platform.architecture.empty() && !context_.platform.accepts(file.platform))
        continue;
      if (!only_.empty() && file.component != only_) continue;
      const bool runtime_part = file.component == "containerd" || file.component == "runc";
      if (runtime_part && context_.options.runtime != "containerd") continue;
      if (file.component == "containerd" && own_runtime) continue;
      // The host's containerd comes with the runc it was tested with.
      if (file.component == "runc" && own_runtime && has_runc) continue;
      if (file.component == CriDockerd::kComponent && context_.runtime->name() != "docker")
        continue;
      if (file.component == "cni-manifest" && !context_.initializes()) continue;
      result.push_back(&file);
    }
    return result;
  }

  // Units that the bundle does not bring itself.
  std::vector<std::pair<std::string, std::string>> units() const {
    std::vector<std::pair<std::string, std::string>> result;
    if (!only_.empty()) return result;
    const auto from_bundle = [&](const std::string& path) {
      return std::any_of(context_.inventory.files.begin(), context_.inventory.files.end(),
                         [&](const FileRecord& file) { return file.path == path; });
    };
    const auto add = [&](const char* path, const char* name) {
      if (!from_bundle(path))
        result.emplace_back(path, relocated_unit(template_text(name), context_.bin_dir));
    };
    add(kUnit, "kubelet.service");
    add(kDropIn, "10-kubeadm.conf");
    return result;
  }

  // For SELinux and fapolicyd.
  std::vector<PlacedFile> placed() const {
    std::vector<PlacedFile> result;
    for (const FileRecord* file : wanted())
      result.push_back({file->path, file->digest, (file->mode & 0111U) != 0});
    for (const auto& [path, text] : units()) result.push_back({path, {}, false});
    return result;
  }

  bool in_place(const FileRecord& file) const {
    return host_.mode(file.path) == file.mode && host_.digest(file.path) == file.digest;
  }

  bool enabled() const {
    const auto state = host_.run({.argv = {"systemctl", "is-enabled", "kubelet.service"},
                                  .timeout = std::chrono::seconds(20)});
    return trim(state.output) == "enabled";
  }

  void place(const FileRecord& file, ProgressTask& task) {
    with_context("put " + file.path + " into place", [&] {
      if (context_.bundle == nullptr) throw Error(ExitCode::internal, "no bundle to read from");
      host_.touching(Touch::file, file.path);
      const auto target = host_.at(file.path);
      make_folders(target.parent_path());
      remove_stale_temporaries(target.parent_path());
      const auto source = context_.bundle->open_blob(file.digest);
      AtomicFile out(target, static_cast<mode_t>(file.mode));
      // The source fails at its end unless the digest held, so commit() publishes only that.
      copy(*source, out, [&](std::uint64_t bytes) { task.advance(bytes); });
      out.commit();
    });
  }

  Context& context_;
  Host& host_;
  std::string only_;  // a component; empty: all
};

}  // namespace

std::unique_ptr<Phase> make_programs_phase(Context& context) {
  return std::make_unique<ProgramsPhase>(context);
}

std::unique_ptr<Phase> make_program_phase(Context& context, const std::string& component) {
  return std::make_unique<ProgramsPhase>(context, component);
}

}  // namespace kbundle
