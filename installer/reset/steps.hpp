// The steps of a reset. Each is a Phase: check() says what is there to remove, or, when it is a
// conflict, why the reset must not begin; apply() removes what it can and leaves the rest, which
// the next check() tells.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/progress.hpp"
#include "installer/external_etcd.hpp"
#include "installer/host.hpp"
#include "installer/journal.hpp"
#include "installer/phase.hpp"
#include "installer/reset.hpp"
#include "installer/runtimes/pod_runtime.hpp"
#include "installer/snapshot.hpp"

namespace kbundle {

/// What the steps of one reset share. Everything but other_masters, notes and problems is decided
/// at its begin.
struct ResetContext {
  const ResetOptions& options;
  Host& host;
  Progress& progress;
  Journal& journal;
  HostSnapshot snapshot;
  std::unique_ptr<PodRuntime> runtime;
  bool master = false;
  std::string node_name;
  std::vector<std::string> pod_networks;          ///< "10.244.0.0/16"
  std::string node_ip{}, api_endpoint{}, vip{};   ///< as installed; empty: not known, or none
  std::optional<ExternalEtcd> external_etcd{};    ///< the site's own
  std::vector<std::string> other_masters{};       ///< addresses of those that etcd goes on at
  std::set<std::string> notes;                    ///< for people, at the end; nothing is wrong
  std::map<std::string, std::string> problems{};  ///< step -> why something was left

  /// Runs `step`; an Error becomes a problem of the step `id`, and a signal goes on.
  template <typename Function>
  void attempt(const std::string& id, Function&& step);
  /// The runtime came with the bundle, and its data goes with it.
  bool runtime_goes() const {
    return snapshot.runtime != "docker" && !snapshot.had("/var/lib/containerd");
  }
  /// kubectl with the best credentials that are there; empty: none, or no kubectl.
  std::vector<std::string> kubectl() const;
  void problem(const std::string& id, const std::string& text);
};

std::unique_ptr<Phase> make_etcd_member_step(ResetContext& context);
std::unique_ptr<Phase> make_services_step(ResetContext& context);
std::unique_ptr<Phase> make_virtual_address_step(ResetContext& context);
std::unique_ptr<Phase> make_node_object_step(ResetContext& context);
std::unique_ptr<Phase> make_pods_step(ResetContext& context);
std::unique_ptr<Phase> make_mounts_step(ResetContext& context);
std::unique_ptr<Phase> make_images_step(ResetContext& context);
std::unique_ptr<Phase> make_firewall_step(ResetContext& context);
std::unique_ptr<Phase> make_interfaces_step(ResetContext& context);
std::unique_ptr<Phase> make_kubectl_config_step(ResetContext& context);
std::unique_ptr<Phase> make_cluster_files_step(ResetContext& context);
std::unique_ptr<Phase> make_undo_step(ResetContext& context);
std::unique_ptr<Phase> make_runtime_data_step(ResetContext& context);

/// Mount points of pods and their containers, inner ones first.
std::vector<std::string> pod_mounts(const ResetContext& context);
/// Mount points that keep a file from being removed; for --dry-run those that a real run will have
/// unmounted do not.
std::vector<std::string> mounts_in_the_way(const ResetContext& context);

/// All of them, in order.
std::vector<std::unique_ptr<Phase>> make_reset_steps(ResetContext& context);

/// /var/lib/kbundle itself, in one move that is then cleared away: a state that is half there would
/// no longer say what belongs to the host. Also clears away what a killed run left of it.
void remove_own_state(const Host& host);

// -- of that header's template
template <typename Function>
void ResetContext::attempt(const std::string& id, Function&& step) {
  try {
    std::forward<Function>(step)();
  } catch (const Error& error) {
    if (error.code() == ExitCode::interrupted) throw;
    problem(id, error.message());
  } catch (const std::filesystem::filesystem_error& error) {
    problem(id, error.what());
  }
}

}  // namespace kbundle
