#include "manifests/templates.hpp"

#include "core/error.hpp"
#include "manifests/embedded.hpp"

namespace kbundle {

std::string_view template_text(std::string_view name) {
  const std::string path = "templates/" + std::string(name);
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.name == path) return file.text;
  }
  throw Error(ExitCode::internal, "no template is called \"" + std::string(name) + "\"");
}

}  // namespace kbundle
