#include <iostream>

#include "cli/verbs.hpp"
#include "manifests/catalog.hpp"

namespace kbundle::cli {

void add_images(CLI::App& app) {
  struct Options {
    std::string version;
    std::string architecture = "amd64";
    std::string cni = "flannel";
  };
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("images", "print the image references of a version, one a line");
  verb->add_option("VERSION", options->version, "Kubernetes version, v1.18.2")->required();
  verb->add_option("--arch", options->architecture, "amd64, arm64, ...")->capture_default_str();
  verb->add_option("--cni", options->cni, "flannel or none")->capture_default_str();
  verb->footer("example:\n  kbundle images v1.18.2 | xargs -n1 skopeo inspect ...");
  verb->callback([options] {
    for (const auto& name :
         Catalog::builtin().image_names(options->version, options->architecture, options->cni)) {
      std::cout << name << "\n";
    }
  });
}

}  // namespace kbundle::cli
