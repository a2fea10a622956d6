// kubeadm's phases that leave files: certificates, kubeconfigs, static pods.
#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/phases/kubeadm_phase.hpp"

namespace kbundle {
namespace {

constexpr const char* kCaFiles[] = {"/etc/kubernetes/pki/ca.crt",
                                    "/etc/kubernetes/pki/front-proxy-ca.crt",
                                    "/etc/kubernetes/pki/etcd/ca.crt"};
constexpr const char* kServiceAccountPublic = "/etc/kubernetes/pki/sa.pub";

class FilesPhase final : public KubeadmPhaseBase {
 public:
  using Look = std::function<FilesState(const Host&)>;
  FilesPhase(Context& context, KubeadmPhase phase, Look look)
      : KubeadmPhaseBase(context, std::move(phase)), look_(std::move(look)) {}

  PhaseCheck check() override {
    const FilesState state = look_(host_);
    if (state.good()) return PhaseCheck::done("the files are whole and belong together");
    std::vector<std::string> identity = state.identity_broken;
    // Never made by an install here: the site's own, and not kbundle's to delete.
    if (!identity.empty() && !begun())
      return PhaseCheck::conflict(
          "these files were here before the install, and are damaged or do not belong together: "
          "put them right or take them away",
          identity);
    identity.insert(identity.end(), state.identity_missing.begin(), state.identity_missing.end());
    if (!identity.empty() && cluster_stands())
      return PhaseCheck::conflict(
          "the cluster's CA or service account key is damaged or gone, and everything in the "
          "cluster was signed by it: put it back from a copy, or start over with `kbundle reset`",
          identity);
    std::vector<std::string> actions;
    for (const std::string& file : to_remove(state))
      actions.push_back("remove " + file + " (damaged)");
    for (const std::string& file : state.missing) actions.push_back("write " + file);
    actions.push_back(action());
    return PhaseCheck::todo(state.broken.empty() ? "files are missing" : "files are damaged",
                            actions);
  }

  void apply() override {
    for (const std::string& file : to_remove(look_(host_))) host_.remove(file);
    if (id() == "certs/all" && !host_.exists(kServiceAccountPublic))
      if (const auto key = service_account_public_key(host_))
        host_.write(kServiceAccountPublic, *key, 0600);
    // These may lie anywhere: a reset takes away what was not there.
    if (id() == "control-plane-prepare/download-certs" && context_.ticket)
      for (const std::string& file : context_.ticket->external_etcd_files)
        host_.touching(Touch::file, file);
    run_kubeadm();
    const FilesState after = look_(host_);
    if (after.good()) return;
    std::vector<std::string> wrong = after.broken;
    wrong.insert(wrong.end(), after.missing.begin(), after.missing.end());
    throw Error(ExitCode::phase, "kubeadm ended well, but these files are not as they must be: " +
                                     join(wrong, ", "));
  }

 private:
  // What all masters share is downloaded again by one that joins.
  bool cluster_stands() const {
    return context_.initializes() && context_.journal_ended("wait-control-plane");
  }
  bool begun() const { return context_.journal != nullptr && context_.journal->begun(id()); }

  // A CA that is made anew voids every certificate below it.
  std::vector<std::string> to_remove(const FilesState& state) const {
    std::vector<std::string> touched = state.broken;
    touched.insert(touched.end(), state.missing.begin(), state.missing.end());
    std::vector<std::string> files = with_other_halves(touched);
    if (state.ca_broken) {
      for (const std::string& leaf : leaf_certificate_files()) files.push_back(leaf);
      for (const char* authority : kCaFiles) {
        const std::string certificate = authority;
        const std::string key = certificate.substr(0, certificate.size() - 3) + "key";
        const bool broken = std::any_of(
            state.broken.begin(), state.broken.end(),
            [&](const std::string& file) { return file == certificate || file == key; });
        if (broken) files.insert(files.end(), {certificate, key});
      }
    }
    // With an external etcd its certificates are the site's own.
    if (context_.external_etcd)
      std::erase_if(files, [](const auto& file) { return file.find("etcd") != std::string::npos; });
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    std::erase_if(files, [&](const std::string& file) { return !host_.exists(file); });
    return files;
  }

  Look look_;
};

}  // namespace

std::unique_ptr<Phase> make_files_phase(Context& context, KubeadmPhase phase,
                                        std::function<FilesState(const Host&)> look) {
  return std::make_unique<FilesPhase>(context, std::move(phase), std::move(look));
}

}  // namespace kbundle
