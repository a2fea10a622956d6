#include "builder/build.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "bundles/reader.hpp"
#include "core/file.hpp"
#include "core/json.hpp"
#include "core/lock.hpp"
#include "manifests/lock.hpp"
#include "registry/fetcher.hpp"
#include "tests/unit/builder/support.hpp"

namespace kbundle {
namespace {

using test::Listener;
using test::MemoryUpstream;
using test::TemporaryFolder;

constexpr const char* kBundle = "kubernetes-v1.18.2-linux-amd64.tar.zst";

struct Site {
  TemporaryFolder folder;
  MemoryUpstream upstream;
  Listener progress;
  BuildOptions options;

  Site() {
    upstream.add_v1_18_2();
    options.version = "v1.18.2";
    options.architectures = {"amd64"};
    options.output_dir = folder.path() / "out";
    options.cache_dir = folder.path() / "cache";
    options.sign_key = folder.path() / "keys" / "signing.key";
    options.site_executable = folder.path() / "kbundle-static";
    write_file(options.site_executable, "#!/bin/true\n", 0755);
  }
  BuildReport run() { return build(options, progress, upstream); }
  Error failure() {
    try {
      run();
    } catch (const Error& error) {
      return error;
    }
    FAIL("the build did not fail");
    throw;
  }
  Bundle open(const std::filesystem::path& file) const {
    return Bundle::open_with_keys(file, {PrivateKey::read(options.sign_key).public_key()});
  }
};

// What k8s.gcr.io has, elsewhere as well.
void copy_to(MemoryUpstream& upstream, const std::string& place) {
  const auto copy = [&](auto& map) {
    for (const auto& [key, value] : std::remove_reference_t<decltype(map)>(map)) {
      if (key.starts_with("k8s.gcr.io/")) map[place + key.substr(11)] = value;
    }
  };
  copy(upstream.documents);
  copy(upstream.blobs);
}

bool says(const Error& error, const std::string& text) {
  return error.message().find(text) != std::string::npos;
}

TEST_CASE("a build leaves a verified bundle and everything beside it") {
  Site site;
  const BuildReport report = site.run();
  CHECK(report.bundle == site.options.output_dir / kBundle);
  for (const char* name : {kBundle, "bundle.lock", "kbundle.pub", "kbundle", "SHA256SUMS",
                           "SHA256SUMS.sig", "kubernetes-v1.18.2-linux-amd64.report.json"}) {
    CHECK(std::filesystem::exists(site.options.output_dir / name));
  }
  CHECK(std::distance(std::filesystem::directory_iterator(site.options.output_dir), {}) == 7);
  const Bundle bundle = site.open(report.bundle);
  bundle.verify_deep(site.progress);
  const Inventory& inventory = bundle.inventory();
  CHECK(bundle.id() == report.id);
  CHECK(inventory.images.size() == 9);
  CHECK(inventory.images[0].names[0] == "k8s.gcr.io/kube-apiserver:v1.18.2");
  CHECK(media_type::is_index(inventory.images[0].media_type));
  CHECK(inventory.images[7].names[0] == "quay.io/coreos/flannel:v0.12.0-amd64");
  CHECK(media_type::is_manifest(inventory.images[7].media_type));
  CHECK(inventory.images[8].names[0] == "docker.io/osixia/keepalived:2.0.20");
  CHECK(inventory.line == "kubernetes-v1.18-linux-amd64");
  CHECK(inventory.cni == "flannel v0.12.0");
  CHECK(inventory.budgets.disk_runtime > 0);
  const Platform amd64{"linux", "amd64", ""};
  REQUIRE(inventory.find_file("kubelet", amd64) != nullptr);
  const FileRecord& kubelet = *inventory.find_file("kubelet", amd64);
  CHECK(kubelet.path == "/usr/bin/kubelet");
  CHECK(kubelet.mode == 0755);
  CHECK(kubelet.version == "v1.18.2");
  CHECK(bundle.read_blob(kubelet.digest) == "kubelet for amd64");
  std::vector<std::string> paths;
  for (const FileRecord& file : inventory.files) paths.push_back(file.path);
  for (const char* path :
       {"/opt/cni/bin/bridge", "/usr/local/bin/ctr", "/usr/local/bin/containerd",
        "/usr/local/sbin/runc", "/usr/bin/crictl", "/var/lib/kbundle/addons/cni.yaml"}) {
    INFO(path);
    CHECK(std::find(paths.begin(), paths.end(), path) != paths.end());
  }
  CHECK(site.progress.heard("crictl publishes no sum"));
  CHECK(site.progress.heard("a new signing key was made"));
  CHECK(report.summary().find(report.key_fingerprint) != std::string::npos);
  const Json origins = parse_json(
      read_file(site.options.output_dir / "kubernetes-v1.18.2-linux-amd64.report.json"), "report");
  CHECK(origins["images"].size() == 9);
  CHECK(origins["images"][0]["resolvedAt"] == "k8s.gcr.io/kube-apiserver:v1.18.2");
}

TEST_CASE("the same lock makes the same bundle, through a flat mirror and with another cache") {
  Site site;
  site.run();
  const std::string first = read_file(site.options.output_dir / kBundle);
  const std::string lock = read_file(site.options.output_dir / "bundle.lock");

  for (const bool warm : {true, false}) {
    MemoryUpstream& upstream = site.upstream;
    copy_to(upstream, "flat.example/x/");
    upstream.down = {"k8s.gcr.io", "registry.k8s.io"};
    upstream.asked.clear();
    site.options.mirrors = Mirrors({MirrorRule::parse("k8s.gcr.io=flat.example/x/*")});
    site.options.lock_file = site.options.output_dir / "bundle.lock";
    if (!warm) site.options.cache_dir = site.folder.path() / "cache2";
    site.options.parallel = 1;
    site.run();
    CHECK(read_file(site.options.output_dir / kBundle) == first);
    CHECK(read_file(site.options.output_dir / "bundle.lock") == lock);
    // A warm cache asks nobody.
    CHECK(upstream.asked.empty() == warm);
    for (const std::string& question : upstream.asked) {
      CHECK(question.find(".sha256") == std::string::npos);
    }
  }
}

TEST_CASE("a mirror's word for a digest is told, and recorded, as not compared") {
  Site site;
  copy_to(site.upstream, "flat.example/x/");
  site.options.mirrors = Mirrors({MirrorRule::parse("k8s.gcr.io=flat.example/x/*")});
  const auto compared = [&](const std::string& name) {
    const Json origins = parse_json(
        read_file(site.options.output_dir / "kubernetes-v1.18.2-linux-amd64.report.json"),
        "report");
    for (const Json& image : origins["images"]) {
      if (image["name"] == name) return image["compared"].get<std::string>();
    }
    return std::string("?");
  };
  const std::string pause = "k8s.gcr.io/pause:3.2";
  const std::string flannel = "quay.io/coreos/flannel:v0.12.0-amd64";
  BuildReport report = site.run();
  CHECK(report.not_compared == 7);
  CHECK(report.summary().find("7 of 9 images not compared with upstream") != std::string::npos);
  CHECK(compared(pause) == "no");
  CHECK(compared(flannel) == "upstream");
  const auto digest = sha256(site.upstream.documents[pause].first).str();
  CHECK(site.progress.heard(pause + "\n    not compared with upstream: " + digest +
                            " by flat.example/x/pause:3.2"));
  CHECK_FALSE(site.progress.heard(flannel + "\n    not compared"));

  // With its lock nothing is open any more: only those digests pass, from wherever.
  Site again;
  again.upstream.documents = site.upstream.documents;
  again.upstream.blobs = site.upstream.blobs;
  again.options.mirrors = site.options.mirrors;
  again.options.lock_file = site.options.output_dir / "bundle.lock";
  report = again.run();
  CHECK(report.not_compared == 0);
  CHECK_FALSE(again.progress.heard("not compared"));
  site.options.output_dir = again.options.output_dir;
  CHECK(compared(pause) == "lock");
}

TEST_CASE("Kubernetes' registry under its other name is upstream") {
  Site site;
  copy_to(site.upstream, "registry.k8s.io/");
  site.upstream.down = {"k8s.gcr.io"};
  CHECK(site.run().not_compared == 0);
  CHECK_FALSE(site.progress.heard("not compared"));
}

TEST_CASE("a network manifest from a mirror, and a dead mirror, are told") {
  Site site;
  const std::string url =
      "https://raw.githubusercontent.com/flannel-io/flannel/v0.12.0/Documentation/kube-flannel.yml";
  REQUIRE(site.upstream.files.contains(url));
  site.upstream.files
      ["https://mirror.example/flannel-io/flannel/v0.12.0/Documentation/"
       "kube-flannel.yml"] = site.upstream.files[url];
  site.options.mirrors = Mirrors({MirrorRule::parse("raw.githubusercontent.com=mirror.example"),
                                  MirrorRule::parse("k8s.gcr.io=gcr.azk8s.cn/google_containers")});
  CHECK(site.run().not_compared == 0);  // the images came from upstream
  CHECK(site.progress.heard("not compared with upstream: https://mirror.example/"));
  CHECK(site.progress.heard("gcr.azk8s.cn/google_containers is dead"));
  CHECK(site.progress.heard("--mirror-preset daocloud"));
}

TEST_CASE("a manifest that lies about a size does not cost the cached blob") {
  Site site;
  site.run();
  BlobStore store(site.options.cache_dir);
  const std::string base = "the base layer that all images share";
  const Reference name = Reference::parse("r.example/x:1");
  Descriptor lie{"application/vnd.oci.image.layer.v1.tar+gzip", sha256(base), 7, std::nullopt, {}};
  const Mirrors mirrors;
  Fetcher fetcher(site.upstream, mirrors, store);
  try {
    fetcher.blob(name, lie, {});
    FAIL_CHECK("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::verification);
    CHECK(says(error, "7 bytes"));
    CHECK(says(error, std::to_string(base.size())));
  }
  CHECK(store.find(sha256(base)) == base.size());

  // A copy that was cut is no such case: it is fetched anew.
  site.upstream.blobs["r.example/x@" + sha256(base).str()] = base;
  std::filesystem::resize_file(store.path_of(sha256(base)), 5);
  lie.size = base.size();
  fetcher.blob(name, lie, {});
  CHECK(store.read(sha256(base)) == base);
}

TEST_CASE("a tag that moved does not matter to a lock, a wrong digest stops it") {
  Site site;
  site.run();
  site.options.lock_file = site.options.output_dir / "bundle.lock";
  site.options.cache_dir = site.folder.path() / "cache2";
  const auto before = read_file(site.options.output_dir / kBundle);
  // The tag moves to an image of another name's content.
  site.upstream.documents["k8s.gcr.io/pause:3.2"] =
      site.upstream.documents["k8s.gcr.io/etcd:3.4.3-0"];
  site.run();
  CHECK(read_file(site.options.output_dir / kBundle) == before);

  site.options.cache_dir = site.folder.path() / "cache3";
  site.upstream.files["https://dl.k8s.io/release/v1.18.2/bin/linux/amd64/kubelet"] = "evil";
  const Error error = site.failure();
  CHECK(error.code() == ExitCode::verification);
  CHECK(says(error, "dl.k8s.io/release/v1.18.2/bin/linux/amd64/kubelet"));
  CHECK(read_file(site.options.output_dir / kBundle) == before);
}

TEST_CASE("a release file that does not match its published sum stops the build") {
  Site site;
  site.upstream.files["https://dl.k8s.io/release/v1.18.2/bin/linux/amd64/kubeadm"] = "evil";
  const Error error = site.failure();
  CHECK(error.code() == ExitCode::verification);
  CHECK_FALSE(std::filesystem::exists(site.options.output_dir / kBundle));
  CHECK_FALSE(std::filesystem::exists(site.options.output_dir / "SHA256SUMS"));
}

TEST_CASE("no place left: the error lists each and what it said") {
  Site site;
  site.upstream.down = {"k8s.gcr.io", "registry.k8s.io"};
  site.options.mirrors = Mirrors({MirrorRule::parse("k8s.gcr.io=flat.example/x/*")});
  const Error error = site.failure();
  CHECK(error.code() == ExitCode::network);
  CHECK(says(error, "flat.example/x/"));
  CHECK(says(error, "404"));
  CHECK(says(error, "cannot connect to k8s.gcr.io"));
  CHECK(says(error, "cannot connect to registry.k8s.io"));
  CHECK_FALSE(error.hint().empty());
}

TEST_CASE("two architectures in one bundle") {
  Site site;
  site.options.architectures = {"arm64", "amd64", "arm64"};
  const BuildReport report = site.run();
  CHECK(report.bundle.filename() == "kubernetes-v1.18.2-linux-amd64-arm64.tar.zst");
  const Bundle bundle = site.open(report.bundle);
  CHECK(bundle.inventory().images.size() == 10);
  CHECK(bundle.inventory().images[0].platforms.size() == 2);
  CHECK(bundle.inventory().find_file("kubelet", {"linux", "arm64", ""}) != nullptr);
}

TEST_CASE("--arch all is every architecture that there are programs for") {
  Site site;
  site.options.architectures = {"all"};
  const BuildReport report = site.run();
  CHECK(report.bundle.filename() == "kubernetes-v1.18.2-linux-amd64-arm64.tar.zst");
  site.options.lock_file = site.options.output_dir / "bundle.lock";
  CHECK(site.run().id == report.id);
  site.options.lock_file.reset();
  site.options.architectures = {"all", "amd64"};
  CHECK(says(site.failure(), "\"all\""));
}

TEST_CASE("without, extra images and one's own network manifest") {
  Site site;
  site.upstream.add_image("docker.io/library/busybox:1", {"amd64", "arm64"});
  site.upstream.add_image("r.example/cni:1", {"amd64"});
  const auto manifest = site.folder.path() / "mine.yaml";
  write_file(manifest,
             "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: \"r.example/cni:1\"}]}\n");
  site.options.cni = manifest.string();
  site.options.without = {"crictl", "keepalived"};
  site.options.extra_images = {"busybox:1"};
  const BuildReport report = site.run();
  const Bundle bundle = site.open(report.bundle);
  const Inventory& inventory = bundle.inventory();
  CHECK(inventory.cni == "file");
  CHECK(inventory.images.size() == 9);
  CHECK(inventory.images[7].names[0] == "r.example/cni:1");
  CHECK(inventory.images[8].names[0] == "docker.io/library/busybox:1");
  CHECK(inventory.find_file("crictl", {"linux", "amd64", ""}) == nullptr);
  const std::string first = read_file(report.bundle);

  // The lock brings without, the manifest (from the cache) and the extra image by itself.
  site.options.lock_file = site.options.output_dir / "bundle.lock";
  site.options.without.clear();
  site.options.extra_images.clear();
  site.options.cni = "flannel";
  site.run();
  CHECK(read_file(report.bundle) == first);

  site.options.extra_images = {"busybox:2"};
  CHECK(says(site.failure(), "not in the lock"));
}

TEST_CASE("options that do not fit are usage errors before anything is made") {
  Site site;
  const auto refused = [&](const std::function<void(BuildOptions&)>& change) {
    Site other;
    change(other.options);
    const Error error = other.failure();
    CHECK(error.code() == ExitCode::usage);
    CHECK_FALSE(std::filesystem::exists(other.options.output_dir));
    CHECK_FALSE(std::filesystem::exists(other.options.sign_key));
    CHECK(other.upstream.asked.empty());
  };
  refused([](BuildOptions& options) { options.version = "v1.18.7"; });
  refused([](BuildOptions& options) { options.version = "latest"; });
  refused([](BuildOptions& options) { options.architectures = {"sparc"}; });
  refused([](BuildOptions& options) { options.without = {"emacs"}; });
  refused([](BuildOptions& options) { options.cni = "/nowhere/cni.yaml"; });
  refused([](BuildOptions& options) { options.extra_images = {"UPPER CASE"}; });
  refused([](BuildOptions& options) { options.parallel = 0; });
  refused([](BuildOptions& options) { options.lock_file = "/nowhere/bundle.lock"; });
}

TEST_CASE("an image for the wrong platform is refused") {
  Site site;
  site.upstream.add_image("quay.io/coreos/flannel:v0.12.0-amd64", {"arm64"});
  CHECK(says(site.failure(), "linux/arm64 only"));
  site.upstream.add_image("quay.io/coreos/flannel:v0.12.0-amd64", {"s390x", "arm64"});
  CHECK(says(site.failure(), "no linux/amd64 image"));
}

TEST_CASE("one build at a time in a cache; a damaged cache heals") {
  Site site;
  site.run();
  {
    const ProcessLock held(site.options.cache_dir / "lock");
    CHECK(site.failure().code() == ExitCode::busy);
  }
  const Lock lock = Lock::parse(read_file(site.options.output_dir / "bundle.lock"), "lock");
  const auto kubelet =
      std::find_if(lock.files.begin(), lock.files.end(),
                   [](const LockedFile& file) { return file.component == "kubelet"; });
  const auto path = BlobStore(site.options.cache_dir).path_of(kubelet->digest);
  std::ofstream(path, std::ios::in) << "K";
  const Error error = site.failure();
  CHECK(error.code() == ExitCode::verification);
  CHECK(error.hint().find("run the same command again") != std::string::npos);
  site.run();
}

TEST_CASE("a dry run asks nobody and writes nothing") {
  Site site;
  site.options.dry_run = true;
  site.options.mirrors = Mirrors({MirrorRule::parse("k8s.gcr.io=flat.example/x/*")});
  const std::string plan = site.run().summary();
  CHECK(site.upstream.asked.empty());
  CHECK_FALSE(std::filesystem::exists(site.options.output_dir));
  CHECK_FALSE(std::filesystem::exists(site.options.cache_dir));
  CHECK(plan.find("flat.example/x/pause:3.2, else k8s.gcr.io/pause:3.2, else "
                  "registry.k8s.io/pause:3.2") != std::string::npos);
  CHECK(plan.find("https://dl.k8s.io/release/v1.18.2/bin/linux/amd64/kubelet.sha256") !=
        std::string::npos);
  CHECK(plan.find("kubernetes-v1.18.2-linux-amd64.tar.zst") != std::string::npos);
  CHECK(plan.find("(made new)") != std::string::npos);
}

}  // namespace
}  // namespace kbundle
