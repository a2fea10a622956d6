#include "registry/mirror_config.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/json.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace kbundle;
using test::TemporaryFolder;

namespace {

Mirrors mirrors(const std::vector<std::string>& rules) {
  std::vector<MirrorRule> parsed;
  for (const std::string& rule : rules) parsed.push_back(MirrorRule::parse(rule));
  return Mirrors(parsed);
}

bool says(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

template <typename Step>
Error refusal(Step step) {
  try {
    step();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no Error");
  throw;
}

}  // namespace

TEST_CASE("host, prefix and whole reference can be said in hosts.toml, in the rules' order") {
  const auto containerd = ContainerdMirrors::from(
      mirrors({"k8s.gcr.io=a.example", "quay.io=q.example:5000/mirror/quay",
               "k8s.gcr.io=m.example/{ref}", "k8s.gcr.io=m.example/pre/fix/{ref}",
               "k8s.gcr.io=a.example", "docker.io=hub.example"}),
      {"q.example:5000"});
  CHECK(containerd.left_out.empty());
  REQUIRE(containerd.files.size() == 3);
  const HostsToml& k8s = containerd.files[0];
  CHECK(k8s.upstream == "k8s.gcr.io");
  REQUIRE(k8s.endpoints.size() == 3);  // the same table twice would not be TOML
  CHECK(k8s.endpoints[0].url == "https://a.example");
  CHECK_FALSE(k8s.endpoints[0].override_path);
  CHECK(k8s.endpoints[1].url == "https://m.example/v2/k8s.gcr.io");
  CHECK(k8s.endpoints[1].override_path);
  CHECK(k8s.endpoints[2].url == "https://m.example/v2/pre/fix/k8s.gcr.io");
  CHECK(containerd.files[1].endpoints[0].url == "http://q.example:5000/v2/mirror/quay");
  CHECK(says(containerd.files[2].text(), "server = \"https://registry-1.docker.io\""));
  CHECK(says(containerd.files[2].text(), "[host.\"https://hub.example\"]"));
}

TEST_CASE("what hosts.toml cannot say is named with the reason") {
  const auto containerd = ContainerdMirrors::from(
      mirrors({"k8s.gcr.io=flat.example/x/*", "k8s.gcr.io/coredns=c.example",
               "dl.k8s.io=https://files.example", "quay.io=q.example"}),
      {});
  CHECK(containerd.files.size() == 1);
  REQUIRE(containerd.left_out.size() == 3);
  CHECK(containerd.left_out[0].rule.str() == "k8s.gcr.io=flat.example/x/*");
  CHECK(says(containerd.left_out[0].why, "flat"));
  CHECK(says(containerd.left_out[1].why, "path"));
  CHECK(says(containerd.left_out[2].why, "files"));

  const TemporaryFolder folder;
  const auto flat_only = ContainerdMirrors::from(mirrors({"k8s.gcr.io=flat.example/x/*"}), {});
  const Error error = refusal([&] { flat_only.write(folder.path() / "certs.d", false); });
  CHECK(error.code() == ExitCode::usage);
  CHECK(says(error.message(), "k8s.gcr.io=flat.example/x/*"));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "certs.d"));
}

TEST_CASE("hosts.toml files are replaced only when they are kbundle's own") {
  const TemporaryFolder folder;
  const auto both = ContainerdMirrors::from(
      mirrors({"quay.io=q.example", "registry.example:5000=a.example"}), {});
  const auto names = both.write(folder.path(), false);
  REQUIRE(names.size() == 2);
  CHECK(names[1] == folder.path() / "registry.example:5000" / "hosts.toml");
  CHECK(says(read_file(names[0]), "[host.\"https://q.example\"]"));
  CHECK(both.write(folder.path(), false) == names);

  write_file(names[1], "server = \"https://mine.example\"\n");
  const auto other = ContainerdMirrors::from(
      mirrors({"quay.io=new.example", "registry.example:5000=a.example"}), {});
  const Error error = refusal([&] { other.write(folder.path(), false); });
  CHECK(error.code() == ExitCode::usage);
  CHECK(says(error.message(), names[1].string()));
  CHECK(says(error.hint(), "--force"));
  CHECK(says(read_file(names[0]), "q.example"));  // all or nothing
  CHECK(says(read_file(names[1]), "mine.example"));
  other.write(folder.path(), true);
  CHECK(says(read_file(names[0]), "new.example"));
  CHECK(says(read_file(names[1]), "a.example"));
}

TEST_CASE("Docker is told whole hosts for Docker Hub and nothing else") {
  const auto docker = DockerMirrors::from(
      mirrors({"docker.io=hub.example", "docker.io=lan.example:5000", "docker.io=p.example/hub",
               "docker.io=m.example/{ref}", "quay.io=q.example", "docker.io/library=l.example",
               "docker.io=hub.example"}),
      {"lan.example:5000"});
  CHECK(docker.urls == std::vector<std::string>{"https://hub.example", "http://lan.example:5000"});
  REQUIRE(docker.left_out.size() == 4);
  CHECK(says(docker.left_out[0].why, "without a path"));
  CHECK(says(docker.left_out[1].why, "without a path"));
  CHECK(says(docker.left_out[2].why, "docker.io's images only"));
  CHECK(says(docker.left_out[3].why, "docker.io's images only"));
  const TemporaryFolder folder;
  CHECK(refusal([&] {
          DockerMirrors::from(mirrors({"quay.io=q.example"}), {}).write(folder.path() / "d.json");
        }).code() == ExitCode::usage);
}

TEST_CASE("daemon.json keeps everything else, its order and its permissions") {
  const DockerMirrors docker{{"https://new.example", "https://old.example"}, {}};
  const std::string before =
      "{\"storage-driver\": \"overlay2\", \"registry-mirrors\": [\"https://old.example/\", "
      "\"https://other.example\"], \"exec-opts\": [\"native.cgroupdriver=systemd\"], "
      "\"bip\": \"172.17.0.1/16\"}";
  const std::string after = docker.merged(before, "daemon.json");
  const Json parsed = parse_json(after, "after");
  CHECK(parsed["registry-mirrors"] ==
        Json({"https://new.example", "https://old.example", "https://other.example"}));
  CHECK(parsed["exec-opts"] == Json::array({"native.cgroupdriver=systemd"}));
  CHECK(after.find("storage-driver") < after.find("registry-mirrors"));
  CHECK(after.find("registry-mirrors") < after.find("exec-opts"));
  CHECK(after.find("exec-opts") < after.find("bip"));
  CHECK(docker.merged(after, "daemon.json") == after);
  CHECK(parse_json(docker.merged("", "x"), "x").size() == 1);

  for (const char* broken : {"{", "[]", "{\"registry-mirrors\": 7}", "{\"registry-mirrors\": [7]}",
                             "{\"a\": 1, \"a\": 2}"}) {
    INFO(broken);
    CHECK(refusal([&] { docker.merged(broken, "daemon.json"); }).code() == ExitCode::usage);
  }

  const TemporaryFolder folder;
  const auto real = folder.path() / "real.json";
  write_file(real, before, 0600);
  std::filesystem::create_symlink(real, folder.path() / "daemon.json");
  docker.write(folder.path() / "daemon.json");
  CHECK(std::filesystem::is_symlink(folder.path() / "daemon.json"));
  CHECK(read_file(real) == after);
  struct stat status {};
  REQUIRE(::stat(real.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
}
