// One function per verb: each adds its flags to the application and, when the verb is the one that
// was asked for, makes one call into the libraries. No logic lives here.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "core/progress.hpp"

namespace kbundle::cli {

/// Flags that every verb understands.
struct Globals {
  ProgressMode progress_mode = ProgressMode::automatic;
  std::unique_ptr<Progress> progress() const { return make_progress(progress_mode); }
};

void add_build(CLI::App& app, const Globals& globals);
void add_completion(CLI::App& app);
void add_images(CLI::App& app);
void add_verify(CLI::App& app, const Globals& globals);
void add_inspect(CLI::App& app);
void add_key(CLI::App& app);
void add_mirrors(CLI::App& app);
void add_phases(CLI::App& app, const Globals& globals);
void add_preflight(CLI::App& app, const Globals& globals);
void add_mirror(CLI::App& app, const Globals& globals);
void add_pull(CLI::App& app, const Globals& globals);
void add_push(CLI::App& app, const Globals& globals);
void add_install(CLI::App& app, const Globals& globals);
void add_reset(CLI::App& app, const Globals& globals);
void add_serve(CLI::App& app, const Globals& globals);
void add_certs(CLI::App& app, const Globals& globals);
void add_restore_etcd(CLI::App& app, const Globals& globals);
void add_upgrade(CLI::App& app, const Globals& globals);
void add_repair(CLI::App& app, const Globals& globals);
void add_status(CLI::App& app, const Globals& globals);
void add_support_bundle(CLI::App& app, const Globals& globals);
void add_ticket(CLI::App& app, const Globals& globals);
void add_version(CLI::App& app);

}  // namespace kbundle::cli
