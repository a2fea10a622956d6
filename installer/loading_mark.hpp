// A note on the node while images are being loaded. Runtimes record an image before its files have
// reached the disk: when the host goes down in between, it looks complete and is not. The note
// tells the next run which images that may be.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "installer/host.hpp"

namespace kbundle {

struct LoadingMark {
  std::set<std::string> names;  ///< of images, as the runtime knows them
  bool fast = false;            ///< by kbundle's own unpacker
  bool other_boot = false;      ///< the host went down since; set by read_loading_mark()
};

/// nullopt: no load was left unfinished. One that cannot be read is an empty one.
std::optional<LoadingMark> read_loading_mark(const Host& host);
void write_loading_mark(const Host& host, const LoadingMark& mark);
void remove_loading_mark(const Host& host);

}  // namespace kbundle
