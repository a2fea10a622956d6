#include "distribution/mirror.hpp"

#include <catch2/catch.hpp>

using namespace kbundle;

TEST_CASE("a target without a tag takes the source's") {
  const auto target = [](const char* from, const char* to) {
    return image_copy(from, to).to.at(0).str();
  };
  const std::string digest = "@sha256:" + std::string(64, 'a');
  CHECK(target("k8s.gcr.io/pause:3.2", "r.local/pause") == "r.local/pause:3.2");
  CHECK(target("k8s.gcr.io/pause:3.2", "r.local:5000/pause") == "r.local:5000/pause:3.2");
  CHECK(target("k8s.gcr.io/pause:3.2", "r.local/pause:new") == "r.local/pause:new");
  CHECK(target(("k8s.gcr.io/pause" + digest).c_str(), "r.local/pause") == "r.local/pause" + digest);
  CHECK(target(("k8s.gcr.io/pause:3.2" + digest).c_str(), "r.local/pause") == "r.local/pause:3.2");
}

TEST_CASE("a version's images go below a prefix, CoreDNS under two names") {
  const auto copies = version_copies("v1.34.4", {}, "r.local/k8s");
  std::size_t targets = 0;
  for (const ImageCopy& copy : copies) {
    targets += copy.to.size();
    for (const Reference& target : copy.to) {
      CHECK(target.str().starts_with("r.local/k8s/"));
      CHECK(target.tag() == copy.from.tag());
    }
  }
  CHECK(targets == copies.size() + 1);
}
