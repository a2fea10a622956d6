// What the host was like before it was touched, one journal record each, written and fsynced before
// the first touch; and the way back, which `reset` goes.
//
// Files of kbundle's own folder and of the cluster's folders (cluster_names.hpp) have no records:
// those folders go as a whole, but for what the snapshot found in them.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "installer/host.hpp"
#include "installer/journal.hpp"
#include "installer/snapshot.hpp"

namespace kbundle {

/// While it lives, each first touch of `host` becomes a record of `journal`. Copies of files that
/// are replaced or removed lie under /var/lib/kbundle/before. Both must outlive it.
class UndoLog {
 public:
  UndoLog(Host& host, Journal& journal);
  ~UndoLog();
  UndoLog(const UndoLog&) = delete;
  UndoLog& operator=(const UndoLog&) = delete;

 private:
  void before(Touch touch, const std::string& name);
  bool wanted(Touch touch, const std::string& name) const;

  Host& host_;
  Journal& journal_;
  HostSnapshot snapshot_;
  std::set<std::pair<std::string, std::string>> seen_;  ///< touch and name
};

/// One step back.
struct UndoAction {
  Json record;
  std::string shown;  ///< "remove /usr/bin/kubeadm", for people
};

/// What is still to be put back, in the order to do it: newest first. Asks the host, changes
/// nothing.
std::vector<UndoAction> undo_actions(const Host& host, const Journal& journal);
/// Puts it back. May be repeated.
void undo(Host& host, const UndoAction& action);
/// Units that ran before and whose files were put back: they are to be restarted.
std::vector<std::string> units_that_ran(const Journal& journal);
/// Kernel modules that were not loaded before; they stay.
std::vector<std::string> modules_loaded(const Journal& journal);

}  // namespace kbundle
