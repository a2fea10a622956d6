#include "installer/runtimes/containerd.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "installer/runtimes/containerd_images.hpp"

using namespace kbundle;

namespace {
struct Merged {
  bool changed = false;
  std::string text;
};

Merged merge(const std::string& text) {
  const ContainerdWish wish{.sandbox_image = "k8s.gcr.io/pause:3.2"};
  const auto edits = merge_containerd_config({{"config.toml", text}}, wish);
  return edits.empty() ? Merged{} : Merged{true, edits.at(0).text};
}
}  // namespace

TEST_CASE("a site's own version 2 settings are kept") {
  const auto merged = merge(R"(
version = 2
imports = ["/etc/containerd/conf.d/*.toml"]
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
)");
  REQUIRE(merged.changed);
  CHECK(merged.text.find("restrict_oom_score_adj = true") != std::string::npos);
  const auto settings = read_containerd_config(merged.text, "merged");
  CHECK(settings.version == 2);
  CHECK(settings.sandbox_image == "k8s.gcr.io/pause:3.2");
  CHECK(settings.systemd_cgroup);
  CHECK(settings.cni_bin_dir == "/opt/cni/bin");
  CHECK(merged.text.find("/etc/containerd/conf.d/*.toml") != std::string::npos);
  CHECK_FALSE(merge(merged.text).changed);
}

TEST_CASE("Docker's package disables the CRI plugin; it comes back as version 2") {
  const auto merged = merge("disabled_plugins = [\"cri\"]\n#root = \"/var/lib/containerd\"\n");
  const auto settings = read_containerd_config(merged.text, "merged");
  CHECK(settings.version == 2);
  CHECK_FALSE(settings.cri_disabled);
  CHECK(settings.sandbox_image == "k8s.gcr.io/pause:3.2");
}

TEST_CASE("a version 1 file with plugins stays version 1") {
  const auto merged =
      merge("disabled_plugins = [\"cri\", \"btrfs\"]\n[plugins.cri]\nstream_server_port = \"0\"\n");
  CHECK(merged.text.find("version") == std::string::npos);
  const auto settings = read_containerd_config(merged.text, "merged");
  CHECK(settings.version == 1);
  CHECK(settings.sandbox_image == "k8s.gcr.io/pause:3.2");
  CHECK(merged.text.find("btrfs") != std::string::npos);
}

TEST_CASE("version 3 keeps the image elsewhere") {
  const auto merged = merge(R"(
version = 3
disabled_plugins = ["io.containerd.cri.v1.images"]
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/usr/lib/cni"]
)");
  const auto settings = read_containerd_config(merged.text, "merged");
  CHECK(settings.sandbox_image == "k8s.gcr.io/pause:3.2");
  CHECK(settings.systemd_cgroup);
  CHECK_FALSE(settings.cri_disabled);
  CHECK(merged.text.find("pinned_images") != std::string::npos);
  CHECK(merged.text.find("/opt/cni/bin") != std::string::npos);
  CHECK_FALSE(merge(merged.text).changed);
}

TEST_CASE("what is not TOML, or too new, is refused with its name") {
  CHECK_THROWS_AS(merge("version = = 2"), Error);
  CHECK_THROWS_AS(merge("version = 9"), Error);
  CHECK_THROWS_AS(merge("version = 2\nplugins = 3"), Error);
}

TEST_CASE("ctr's tables are read") {
  const auto images = parse_ctr_images(
      "REF TYPE DIGEST STATUS SIZE UNPACKED\n"
      "k8s.gcr.io/pause:3.2 application/vnd.oci.image.index.v1+json sha256:" +
          std::string(64, 'a') +
          " complete (2/2) 300 KiB/300 KiB true\n"
          "k8s.gcr.io/etcd:3.4.3-0 application/vnd.oci.image.index.v1+json sha256:" +
          std::string(64, 'b') + " incomplete (1/2) 1 KiB/300 KiB false\n",
      "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
      "k8s.gcr.io/pause:3.2 t sha256:x 1 KiB linux/amd64 "
      "io.cri-containerd.image=managed,io.cri-containerd.pinned=pinned\n");
  REQUIRE(images.size() == 2);
  CHECK(images.at("k8s.gcr.io/pause:3.2").complete);
  CHECK(images.at("k8s.gcr.io/pause:3.2").pinned);
  CHECK_FALSE(images.at("k8s.gcr.io/etcd:3.4.3-0").complete);
  const std::string plugins =
      "TYPE ID PLATFORMS STATUS\nio.containerd.snapshotter.v1 zfs linux/amd64 skip\n"
      "io.containerd.grpc.v1 cri linux/amd64 error\n";
  CHECK(plugin_state(plugins, "io.containerd.grpc.v1", "cri") == "error");
  CHECK(plugin_state(plugins, "io.containerd.snapshotter.v1", "zfs") == "skip");
  CHECK(plugin_state(plugins, "io.containerd.snapshotter.v1", "cri").empty());
  CHECK(containerd_version("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1") ==
        "1.6.20");
  CHECK(containerd_version("containerd containerd.io v2.1.3 abc") == "2.1.3");
}
