// The data files of this folder, compiled in (embed.cmake).
#pragma once

#include <span>
#include <string_view>

namespace kbundle {

struct EmbeddedFile {
  std::string_view name;  ///< "catalog.yaml", "templates/kubelet.service"
  std::string_view text;
};

std::span<const EmbeddedFile> embedded_files();

}  // namespace kbundle
