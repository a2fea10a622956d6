#include "distribution/push_plan.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/bundles/sample.hpp"

using namespace kbundle;
using namespace kbundle::test;
using Catch::Contains;

namespace {

const RegistryPrefix kRegistry{"reg.local:5000", "k8s"};

// An image of a layer for each of `architectures`, behind a list that also names s390x when it is
// not `complete`.
void add_list(Sample& sample, const std::string& name,
              const std::vector<std::string>& architectures, bool complete) {
  const auto json = [](const Descriptor& one) {
    return Json{{"mediaType", one.media_type}, {"digest", one.digest.str()}, {"size", one.size}};
  };
  ImageRecord image;
  image.names = {name};
  Json entries = Json::array();
  for (const std::string& architecture : architectures) {
    const auto config = sample.describe("application/vnd.oci.image.config.v1+json",
                                        Json{{"architecture", architecture}}.dump());
    const auto manifest =
        sample.describe(media_type::oci_manifest, Json{{"schemaVersion", 2},
                                                       {"mediaType", media_type::oci_manifest},
                                                       {"config", json(config)},
                                                       {"layers", Json::array()}}
                                                      .dump());
    Json entry = json(manifest);
    entry["platform"] = {{"os", "linux"}, {"architecture", architecture}};
    entries.push_back(entry);
    image.platforms.push_back(
        {Platform{"linux", architecture, ""}, manifest.digest, config.digest});
  }
  if (!complete) {
    entries.push_back({{"mediaType", media_type::oci_manifest},
                       {"digest", sha256("other").str()},
                       {"size", 5},
                       {"platform", {{"os", "linux"}, {"architecture", "s390x"}}}});
  }
  const auto list = sample.describe(
      media_type::oci_index,
      Json{{"schemaVersion", 2}, {"mediaType", media_type::oci_index}, {"manifests", entries}}
          .dump());
  image.digest = list.digest;
  image.media_type = list.media_type;
  image.size = list.size;
  sample.inventory.images.push_back(image);
}

Bundle written(const Sample& sample, const TemporaryFolder& folder) {
  const auto key = PrivateKey::generate();
  (void)sample.write(folder / "bundle", key);
  return open_signed(folder / "bundle", key);
}

Selection only(const std::vector<std::string>& architectures) {
  Selection selection;
  for (const auto& one : architectures) selection.platforms.push_back({"linux", one, ""});
  return selection;
}

Selection everything() {
  Selection selection;
  selection.all = true;
  return selection;
}

std::vector<std::string> targets(const PushPlan& plan) {
  std::vector<std::string> names;
  for (const auto& image : plan.images) names.push_back(image.upload.target.str());
  return names;
}

}  // namespace

TEST_CASE("of a list with one platform here, that platform's manifest goes") {
  const TemporaryFolder folder;
  const auto bundle = written(small_sample(), folder);
  const PushPlan plan = plan_push(bundle, kRegistry, {});
  // Both names of the first image lead to the same one.
  CHECK(targets(plan) == std::vector<std::string>{"reg.local:5000/k8s/kube-apiserver:v1.18.2",
                                                  "reg.local:5000/k8s/pause:3.2"});
  const auto& records = bundle.inventory().images;
  CHECK(plan.images[0].upload.root == records[0].platforms[0].manifest);
  CHECK(plan.images[0].list == records[0].digest);
  CHECK(plan.images[0].upload.documents.size() == 1);
  CHECK(plan.images[0].upload.blobs.size() == 2);
  CHECK(plan.images[1].upload.root == records[1].digest);
  CHECK(plan.images[1].list.empty());
  CHECK(plan.upstreams == std::set<std::string>{"k8s.gcr.io", "registry.local"});

  SECTION("all: the list, and what it misses is known") {
    const PushPlan all = plan_push(bundle, kRegistry, everything());
    CHECK(all.images[0].upload.root == records[0].digest);
    CHECK(all.images[0].upload.documents.size() == 2);
    CHECK(all.images[0].missing == std::vector<std::string>{"linux/arm64"});
  }
  SECTION("none of the chosen platform") {
    CHECK_THAT(
        refusal([&] { (void)plan_push(bundle, kRegistry, only({"arm64"})); }, ExitCode::usage),
        Contains("linux/amd64"));
  }
}

TEST_CASE("a complete list goes as it is, manifests before it") {
  const TemporaryFolder folder;
  Sample sample = empty_sample();
  add_list(sample, "quay.io/a/b:1", {"amd64", "arm64"}, true);
  const auto bundle = written(sample, folder);
  const PushPlan plan = plan_push(bundle, kRegistry, {});
  const auto& image = plan.images.at(0);
  CHECK(image.upload.target.str() == "reg.local:5000/k8s/a/b:1");
  CHECK(image.upload.root == bundle.inventory().images[0].digest);
  REQUIRE(image.upload.documents.size() == 3);
  CHECK(image.upload.documents[2].descriptor.digest == image.upload.root);
  CHECK(image.missing.empty());

  const auto chosen = plan_push(bundle, kRegistry, only({"arm64"})).images.at(0);
  CHECK(chosen.upload.root == bundle.inventory().images[0].platforms[1].manifest);
  CHECK(chosen.upload.documents.size() == 1);
  CHECK(chosen.platforms == std::vector<std::string>{"linux/arm64"});
}

TEST_CASE("several platforms of a list but not all: a choice is wanted") {
  const TemporaryFolder folder;
  Sample sample = empty_sample();
  add_list(sample, "quay.io/a/b:1", {"amd64", "arm64"}, false);
  const auto bundle = written(sample, folder);
  CHECK_THAT(refusal([&] { (void)plan_push(bundle, kRegistry, {}); }, ExitCode::usage),
             Contains("linux/amd64, linux/arm64, but not linux/s390x"));
  CHECK(plan_push(bundle, kRegistry, only({"amd64"})).images[0].upload.documents.size() == 1);
  for (const Selection& selection : {everything(), only({"amd64", "arm64"})}) {
    const PushPlan plan = plan_push(bundle, kRegistry, selection);
    CHECK(plan.images[0].upload.documents.size() == 3);
    CHECK(plan.images[0].upload.root == bundle.inventory().images[0].digest);
    CHECK(plan.images[0].missing == std::vector<std::string>{"linux/s390x"});
  }
}

TEST_CASE("two images that would get one name are refused") {
  const TemporaryFolder folder;
  Sample sample = empty_sample();
  sample.add_image({"quay.io/a/b:1"}, random_bytes(100, 1), false);
  sample.add_image({"docker.io/a/b:1"}, random_bytes(100, 2), false);
  const auto bundle = written(sample, folder);
  CHECK_THAT(refusal([&] { (void)plan_push(bundle, kRegistry, {}); }, ExitCode::usage),
             Contains("would both become reg.local:5000/k8s/a/b:1"));
}

TEST_CASE("kubeadm's path for coredns stands beside upstream's") {
  const TemporaryFolder folder;
  Sample sample = empty_sample();
  sample.inventory.kubernetes_version = "v1.21.2";
  sample.add_image({"k8s.gcr.io/coredns/coredns:v1.8.0"}, random_bytes(100, 1), false);
  const PushPlan plan = plan_push(written(sample, folder), kRegistry, {});
  CHECK(targets(plan) == std::vector<std::string>{"reg.local:5000/k8s/coredns/coredns:v1.8.0",
                                                  "reg.local:5000/k8s/coredns:v1.8.0"});
}
