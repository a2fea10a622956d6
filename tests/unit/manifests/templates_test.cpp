#include "manifests/templates.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "core/error.hpp"
#include "manifests/embedded.hpp"

namespace kbundle {
namespace {

TEST_CASE("every embedded file is the file, byte for byte") {
  CHECK(embedded_files().size() == 12);
  for (const EmbeddedFile& file : embedded_files()) {
    std::ifstream on_disk(std::string(KBUNDLE_SOURCE_DIR "/manifests/") + std::string(file.name));
    std::ostringstream text;
    text << on_disk.rdbuf();
    INFO(file.name);
    CHECK(text.str() == file.text);
    CHECK_FALSE(file.text.empty());
  }
}

TEST_CASE("templates are found by name") {
  CHECK(template_text("kubelet.service").find("ExecStart=/usr/bin/kubelet") !=
        std::string_view::npos);
  CHECK(template_text("10-kubeadm.conf").find("$KUBELET_EXTRA_ARGS") != std::string_view::npos);
  CHECK(template_text("modules.conf").find("br_netfilter") != std::string_view::npos);
  CHECK_THROWS_AS(template_text("../catalog.yaml"), Error);
}

}  // namespace
}  // namespace kbundle
