#include "manifests/lock.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

namespace kbundle {
namespace {

Lock sample() {
  Lock lock;
  lock.kbundle_version = "0.1.0";
  lock.kubernetes_version = "v1.18.2";
  lock.line = "kubernetes-v1.18-linux-amd64";
  lock.serial = 3;
  lock.created = "2026-11-21T01:02:03Z";
  lock.architectures = {"amd64"};
  lock.cni = "flannel v0.12.0";
  lock.without = {"runc"};
  lock.images.push_back(
      {"k8s.gcr.io/pause:3.2", sha256("a"), "application/vnd.oci.image.manifest.v1+json", 7});
  lock.files.push_back(
      {"kubeadm", "v1.18.2", "amd64", "https://dl.k8s.io/kubeadm", sha256("b"), 9, "published"});
  return lock;
}

TEST_CASE("a lock is read back as it was written") {
  const std::string text = sample().serialize();
  CHECK(Lock::parse(text, "bundle.lock").serialize() == text);
  CHECK(text.back() == '\n');
  const Lock lock = Lock::parse(text, "bundle.lock");
  CHECK(lock.serial == 3);
  CHECK(lock.images[0].digest == sha256("a"));
  CHECK(lock.files[0].sum == "published");
}

TEST_CASE("a lock with anything odd in it is refused") {
  const auto refused = [](const std::string& from, const std::string& to) {
    std::string text = sample().serialize();
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    try {
      Lock::parse(text, "bundle.lock");
    } catch (const Error& error) {
      return error.code() == ExitCode::verification;
    }
    return false;
  };
  CHECK(refused("\"format\": 1", "\"format\": 2"));
  CHECK(refused("\"serial\": 3", "\"serial\": 0"));
  CHECK(refused("\"serial\": 3", "\"serial\": \"3\""));
  CHECK(refused("\"published\"", "\"trust me\""));
  CHECK(refused("sha256:", "sha256:../../"));
  CHECK(refused("2026-11-21T01:02:03Z", "yesterday"));
  CHECK(refused("\"serial\"", "\"serial2\""));
  CHECK(refused("https://dl", "https://\\u001b[2Jdl"));
  CHECK(refused("{", "{{"));
  const Lock lock = sample();
  Lock twice = lock;
  twice.images.push_back(lock.images[0]);
  CHECK_THROWS_AS(Lock::parse(twice.serialize(), "bundle.lock"), Error);
  twice = lock;
  twice.files.push_back(lock.files[0]);
  CHECK_THROWS_AS(Lock::parse(twice.serialize(), "bundle.lock"), Error);
}

}  // namespace
}  // namespace kbundle
