#include "manifests/cni_manifest.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

namespace kbundle {
namespace {

using Strings = std::vector<std::string>;

std::string daemon_set(const std::string& name, const std::string& scheduling,
                       const std::string& image) {
  return "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: " + name +
         "\n  namespace: kube-system\nspec:\n  template:\n    spec:\n" + scheduling +
         "      initContainers:\n      - name: install-cni\n        image: " + image +
         "\n      containers:\n      - name: main\n        image: " + image + "\n";
}

std::string affinity(const std::string& key, const std::string& test, const std::string& value) {
  return "      affinity:\n        nodeAffinity:\n"
         "          requiredDuringSchedulingIgnoredDuringExecution:\n"
         "            nodeSelectorTerms:\n            - matchExpressions:\n"
         "              - {key: kubernetes.io/os, operator: In, values: [linux]}\n"
         "              - {key: " +
         key + ", operator: " + test + ", values: [" + value + "]}\n";
}

TEST_CASE("DaemonSets of other architectures are left out") {
  const std::string yaml =
      "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: flannel}\n" +
      daemon_set("a", affinity("kubernetes.io/arch", "In", "amd64"), "q.io/f:v1-amd64") +
      daemon_set("b", affinity("beta.kubernetes.io/arch", "In", "arm64"), "q.io/f:v1-arm64") +
      daemon_set("c", "      nodeSelector: {beta.kubernetes.io/arch: s390x}\n", "q.io/f:v1-s390x") +
      daemon_set("d", affinity("kubernetes.io/arch", "NotIn", "amd64"), "q.io/f:v1-other") +
      daemon_set("e", "      nodeSelector: {kubernetes.io/os: windows}\n", "q.io/f:windows") +
      daemon_set("f", "", "q.io/every:1");
  CHECK(images_in_manifest(yaml, "amd64", "m") == Strings{"q.io/f:v1-amd64", "q.io/every:1"});
  CHECK(images_in_manifest(yaml, "arm64", "m") ==
        Strings{"q.io/f:v1-arm64", "q.io/f:v1-other", "q.io/every:1"});
  CHECK(objects_in_manifest(yaml, "m").size() == 7);
  CHECK(objects_in_manifest(yaml, "m")[1].kind == "DaemonSet");
  CHECK(objects_in_manifest(yaml, "m")[1].ns == "kube-system");
  CHECK(objects_in_manifest(yaml, "m")[1].name == "a");
}

TEST_CASE("lists, cron jobs and bare pods run images too") {
  const std::string yaml =
      "apiVersion: v1\nkind: List\nitems:\n"
      "- apiVersion: v1\n  kind: Pod\n  metadata: {name: p}\n"
      "  spec: {containers: [{name: a, image: r/a}]}\n"
      "- apiVersion: batch/v1\n  kind: CronJob\n  metadata: {name: c}\n"
      "  spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: r/b}]}}}}}\n";
  CHECK(images_in_manifest(yaml, "amd64", "m") == Strings{"r/a", "r/b"});
}

TEST_CASE("what is not Kubernetes YAML is refused") {
  const auto refused = [](const std::string& yaml) {
    try {
      images_in_manifest(yaml, "amd64", "cni.yaml");
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::verification);
      CHECK(error.message().find("cni.yaml") == 0);
      return true;
    }
    return false;
  };
  CHECK(refused("<html><body>404</body></html>"));
  CHECK(refused("a: [1, 2"));
  CHECK(refused("just text"));
  CHECK(refused("kind: Pod\nmetadata: {}\n"));
  CHECK(refused("a: &a [x]\nb: [*a, *a]\napiVersion: v1\nkind: Pod\n"));
  CHECK(refused(std::string(100, '[')));
  CHECK(refused(std::string(5U << 20U, ' ')));
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "--- {}\n";
  CHECK(refused(many));
  std::string wide = "[";
  for (int i = 0; i < 300'000; ++i) wide += "1,";
  CHECK(refused(wide + "1]"));
  CHECK_FALSE(refused("---\n---\n"));
}

TEST_CASE("retagging changes image values and nothing else") {
  const std::string yaml =
      "# quay.io/f:v1 is a comment\nimage: quay.io/f:v1\n"
      "- image: \"quay.io/f:v1\"   # keep\n  args: [quay.io/f:v1]\nimage: quay.io/f:v10\n"
      "{\"image\":\"quay.io/f:v1\"}\nmyimage: quay.io/f:v1\n";
  CHECK(retag_manifest(yaml, {{"quay.io/f:v1", "r.example/f:v1"}}) ==
        "# quay.io/f:v1 is a comment\nimage: r.example/f:v1\n"
        "- image: \"r.example/f:v1\"   # keep\n  args: [quay.io/f:v1]\nimage: quay.io/f:v10\n"
        "{\"image\":\"r.example/f:v1\"}\nmyimage: quay.io/f:v1\n");
  CHECK(retag_manifest(yaml, {}) == yaml);
}

}  // namespace
}  // namespace kbundle
