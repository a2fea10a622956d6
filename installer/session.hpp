// What lives as long as one run on a node: the bundle, the host, and what was decided about them.
#pragma once

#include <filesystem>
#include <optional>

#include "bundles/reader.hpp"
#include "core/progress.hpp"
#include "installer/bin_dir.hpp"
#include "installer/context.hpp"
#include "installer/host.hpp"
#include "installer/install.hpp"
#include "installer/journal.hpp"

namespace kbundle {

/// `given`, or the only *.tar.zst in the current folder or beside the executable. Error{usage}
/// when there is none or a choice; `usage` is the command that names one.
std::filesystem::path find_bundle(const std::filesystem::path& given, const std::string& usage);

/// What the catalog knows of the bundle's CNI add-on; nullopt for none, or one it does not know.
std::optional<CniFacts> cni_of(const Context& context);

/// Opens and checks the bundle, looks at the journal, decides the context. Changes nothing.
/// Members refer to each other: it stays where it is. `options` must outlive it.
struct Session {
  /// `whole_bundle`: every frame is verified; otherwise the envelope alone.
  Session(const InstallOptions& options, Progress& progress, bool whole_bundle);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Host host;
  Bundle bundle;
  Inventory inventory;  ///< the bundle's, its files where they go on this node (--bin-dir)
  Context context;
  Journal journal;
};

}  // namespace kbundle
