// Whole configurations as sites have them: what counts is changed in the file where it counts, the
// rest is kept, and a change can be taken back.
#include "installer/runtimes/containerd_files.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

namespace {

constexpr const char* kGpu = "/etc/containerd/conf.d/gpu.toml";

std::string fixture(const std::string& name) {
  return read_file(std::string(KBUNDLE_SOURCE_DIR "/tests/unit/installer/containerd/") + name,
                   1U << 20U);
}

const ContainerdWish kWish{.sandbox_image = "k8s.gcr.io/pause:3.2",
                           .registry_config_path = "/etc/containerd/certs.d"};

struct Site {
  explicit Site(const std::string& name) : host(root) {
    host.write(kContainerdConfig, fixture(name));
  }
  std::vector<ContainerdEdit> edits(const ContainerdWish& wish = kWish) const {
    return merge_containerd_config(read_containerd_files(host, true), wish);
  }
  std::string text(const std::string& path = kContainerdConfig) const {
    return host.read(path).value_or("absent");
  }
  bool says(const std::string& words) const { return text().find(words) != std::string::npos; }
  ContainerdSettings settings() const { return read_containerd_config(text(), "config.toml"); }

  test::TempRoot root;
  test::FakeHost host;
};

}  // namespace

TEST_CASE("every site's containerd gets what the cluster asks for, once") {
  const std::string name = GENERATE("docker-package.toml", "version-1.toml", "version-2.toml",
                                    "version-3.toml", "mirrors.toml", "empty.toml");
  INFO(name);
  const Site site(name);
  ContainerdWish wish = kWish;
  wish.merges_keys = name == "version-3.toml";
  const auto edits = site.edits(wish);
  REQUIRE(edits.size() == 1);
  ContainerdChange(site.host).write(edits);
  const auto now = site.settings();
  CHECK(now.sandbox_image == "k8s.gcr.io/pause:3.2");
  CHECK_FALSE(now.cri_disabled);
  CHECK(now.registry_config_path == (name == "mirrors.toml" ? "" : "/etc/containerd/certs.d"));
  CHECK(site.edits(wish).empty());
}

TEST_CASE("what a site has set is kept") {
  SECTION("version 1") {
    const Site site("version-1.toml");
    ContainerdChange(site.host).write(site.edits());
    const auto now = site.settings();
    CHECK(now.version == 1);
    CHECK(now.root == "/data/containerd");
    CHECK(now.snapshotter == "overlayfs");
    CHECK(now.systemd_cgroup);
    CHECK(now.cni_bin_dir == "/opt/cni/bin");
    for (const char* words : {"restrict_oom_score_adj = true", "btrfs", "oom_score = -999"})
      CHECK(site.says(words));
  }
  SECTION("version 2") {
    const Site site("version-2.toml");
    ContainerdChange(site.host).write(site.edits());
    CHECK_FALSE(site.settings().systemd_cgroup);
    for (const char* words : {"restrict_oom_score_adj = true", "max_concurrent_downloads = 5",
                              "io.containerd.timeout.task.state", "pause_threshold = 0.02"})
      CHECK(site.says(words));
    // Comments go; the backup has them, and the file says where it is.
    CHECK_FALSE(site.says("not the cluster's"));
    CHECK(site.says("config.toml.kbundle-backup"));
    CHECK(site.text(containerd_backup(kContainerdConfig)) == fixture("version-2.toml"));
  }
  SECTION("version 3") {
    const Site site("version-3.toml");
    ContainerdChange(site.host).write(site.edits());
    CHECK(site.settings().snapshotter == "native");
    CHECK(site.settings().systemd_cgroup);
    CHECK(site.says("restrict_oom_score_adj = true"));
    CHECK(site.says("/usr/lib/cni"));
    CHECK(site.says("/opt/cni/bin"));
  }
  SECTION("mirrors") {
    const Site site("mirrors.toml");
    ContainerdChange(site.host).write(site.edits());
    CHECK(site.says("https://mirror.site:5000"));
    CHECK(site.says("insecure_skip_verify = true"));
    CHECK_FALSE(site.says("config_path"));
  }
}

TEST_CASE("an imported file is changed where its word counts") {
  const Site site("imports.toml");
  site.host.write(kGpu, fixture("imports-conf.d-gpu.toml"));
  REQUIRE(read_containerd_files(site.host, true).size() == 2);
  CHECK(read_containerd_files(site.host, false).size() == 1);
  ContainerdWish wish = kWish;
  SECTION("containerd before 2: its section takes the place of the whole one") {}
  SECTION("containerd 2: its keys come over those of config.toml") {
    wish.merges_keys = true;
    // A key that it does not speak of is config.toml's to say.
    site.host.write(kContainerdConfig, fixture("imports.toml") +
                                           "  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n" +
                                           "    bin_dir = \"/usr/lib/cni\"\n");
  }
  const auto edits = site.edits(wish);
  ContainerdChange(site.host).write(edits);
  CHECK(read_containerd_config(site.text(kGpu), "gpu").sandbox_image == "k8s.gcr.io/pause:3.2");
  CHECK(read_containerd_config(site.text(kGpu), "gpu").systemd_cgroup);  // its default runtime's
  CHECK(site.text(kGpu).find("BinaryName") != std::string::npos);
  CHECK(site.edits(wish).empty());
  if (wish.merges_keys) {
    CHECK(edits.size() == 2);
    CHECK(site.settings().cni_bin_dir == "/opt/cni/bin");
  } else {
    CHECK(site.text() == fixture("imports.toml"));
  }
  // Not beside it: "imports" might match the backup.
  CHECK(site.host.list("/etc/containerd/conf.d") == std::vector<std::string>{"gpu.toml"});
  CHECK(site.text(containerd_backup(kGpu)) == fixture("imports-conf.d-gpu.toml"));
}

TEST_CASE("a plugin that an imported file disables is enabled there") {
  const Site site("imports.toml");
  site.host.write(kGpu, "disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"a.b\"]\n");
  const auto edits = site.edits();
  const auto gpu = std::find_if(edits.begin(), edits.end(),
                                [](const ContainerdEdit& edit) { return edit.path == kGpu; });
  REQUIRE(gpu != edits.end());
  CHECK(gpu->text.find("cri") == std::string::npos);
  CHECK(gpu->text.find("a.b") != std::string::npos);
}

TEST_CASE("imports that go round, or name nothing, end") {
  const Site site("empty.toml");
  site.host.write(kContainerdConfig,
                  "version = 2\nimports = [\"/etc/containerd/other.toml\", \"/nowhere.toml\"]\n");
  site.host.write("/etc/containerd/other.toml",
                  "version = 2\nimports = [\"config.toml\", \"/etc/containerd/*.toml\"]\n");
  CHECK(read_containerd_files(site.host, true).size() == 2);
}

TEST_CASE("a change is taken back byte for byte, also by a later run") {
  const Site site("version-2.toml");
  const ContainerdChange change(site.host);
  change.write(site.edits());
  CHECK(change.open());
  // Killed here; the next run writes more before it finds that containerd does not start.
  change.write({{kContainerdConfig, "version = 2\n", {"something"}}});
  change.take_back();
  CHECK_FALSE(change.open());
  CHECK(site.text() == fixture("version-2.toml"));
  CHECK_FALSE(site.host.exists(containerd_backup(kContainerdConfig)));
}

TEST_CASE("a file that was not there is taken away again") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  const ContainerdChange change(host);
  change.write({{kContainerdConfig, "version = 2\n", {"the whole file"}}});
  CHECK(host.read(kContainerdConfig) == "version = 2\n");
  change.take_back();
  CHECK_FALSE(host.exists(kContainerdConfig));
}

TEST_CASE("a broken file is named with its line, and left alone") {
  const Site site("broken.toml");
  CHECK_THROWS_WITH(site.edits(), Catch::Contains("/etc/containerd/config.toml, line 2"));
  CHECK(site.text() == fixture("broken.toml"));
}
