#include "registry/credentials.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <optional>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "registry/containerd_credentials.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace kbundle;
using test::TemporaryFolder;

namespace {

// Environment variables for the length of a test.
class Environment {
 public:
  void set(const std::string& name, const std::string& value) {
    const char* before = ::getenv(name.c_str());
    before_.try_emplace(name,
                        before == nullptr ? std::nullopt : std::optional<std::string>(before));
    if (value.empty())
      ::unsetenv(name.c_str());
    else
      ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : before_) {
      if (value)
        ::setenv(name.c_str(), value->c_str(), 1);
      else
        ::unsetenv(name.c_str());
    }
  }

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

std::string entry(const std::string& user) {
  return R"({"auth":")" + base64_encode(user + ":secret") + R"("})";
}

void write_auths(const std::filesystem::path& file, const std::string& host,
                 const std::string& user) {
  make_folders(file.parent_path());
  write_file(file, R"({"auths":{")" + host + R"(":)" + entry(user) + "}}");
}

}  // namespace

TEST_CASE("the key with the longest path that fits wins") {
  const TemporaryFolder folder;
  const auto file = folder / "auth.json";
  write_file(file, R"({"auths":{"r.example/team":)" + entry("team") + R"(,"r.example":)" +
                       entry("host") + R"(,"r.example/team/app":)" + entry("app") +
                       R"(,"r.example/empty":{},"docker.io/library":)" + entry("library") +
                       R"(,"https://index.docker.io/v1/":)" + entry("hub") + "}}");
  const Credentials credentials(file);
  CHECK(credentials.find("r.example", "team/app").user == "app");
  CHECK(credentials.find("r.example", "team/app/more").user == "app");
  CHECK(credentials.find("r.example", "team/apple").user == "team");
  CHECK(credentials.find("r.example", "team").user == "team");
  CHECK(credentials.find("r.example", "teams").user == "host");
  CHECK(credentials.find("r.example", "empty/x").user == "host");
  CHECK(credentials.find("r.example").user == "host");
  CHECK(credentials.find("docker.io", "library/busybox").user == "library");
  CHECK(credentials.find("docker.io", "grafana/grafana").user == "hub");
  CHECK(credentials.find("example", "team").empty());
  // Only a path's key: nothing for the rest of the host.
  write_auths(file, "q.example/a", "a");
  CHECK(Credentials(file).find("q.example", "a/b").user == "a");
  CHECK(Credentials(file).find("q.example", "b").empty());
  CHECK(Credentials(file).find("q.example").empty());
}

TEST_CASE("credentials are looked for in one place after the other") {
  const TemporaryFolder folder;
  Environment environment;
  environment.set("HOME", folder.path());
  environment.set("DOCKER_CONFIG", "");
  environment.set("XDG_CONFIG_HOME", "");
  environment.set("XDG_RUNTIME_DIR", folder / "run");
  environment.set("REGISTRY_AUTH_FILE", folder / "named.json");
  const auto user = [] { return Credentials().find("r.example", "x").user; };

  CHECK(user().empty());
  write_auths(folder / ".config/containers/auth.json", "r.example", "config");
  CHECK(user() == "config");
  write_auths(folder / "run/containers/auth.json", "r.example", "runtime");
  CHECK(user() == "runtime");
  write_auths(folder / ".docker/config.json", "r.example", "docker");
  CHECK(user() == "docker");
  write_auths(folder / "named.json", "r.example", "named");
  CHECK(user() == "named");
  // A place that knows nothing of this host does not hide the next.
  write_auths(folder / "named.json", "other.example", "other");
  CHECK(user() == "docker");
  environment.set("DOCKER_CONFIG", folder / "elsewhere");
  CHECK(user() == "runtime");
  environment.set("XDG_CONFIG_HOME", folder / "xdg");
  environment.set("XDG_RUNTIME_DIR", folder / "nothing");
  CHECK(user().empty());
  write_auths(folder / "xdg/containers/auth.json", "r.example", "xdg");
  CHECK(user() == "xdg");

  // A file that was named explicitly is the only place.
  write_auths(folder / "explicit.json", "other.example", "explicit");
  CHECK(Credentials(folder / "explicit.json").find("r.example", "x").empty());
  write_file(folder / "named.json", "{");
  CHECK_THROWS_AS(Credentials(), Error);
}

TEST_CASE("the repository in a token scope") {
  CHECK(repository_of_scope("repository:library/x:pull") == "library/x");
  CHECK(repository_of_scope("repository:a/b:pull,push repository:c:pull") == "a/b");
  CHECK(repository_of_scope("registry:catalog:*").empty());
  CHECK(repository_of_scope("").empty());
}

TEST_CASE("containerd's config.toml gives its registries' credentials, in three versions") {
  for (const char* plugin : {R"(plugins.cri)", R"(plugins."io.containerd.grpc.v1.cri")",
                             R"(plugins."io.containerd.cri.v1.images")"}) {
    INFO(plugin);
    const auto table = [&](const char* host) {
      return "[" + std::string(plugin) + ".registry.configs.\"" + host + "\".auth]\n";
    };
    const Json found = containerd_auths(
        "version = 2\n" + table("r.example:5000") + "username = \"me\"\npassword = \"secret\"\n" +
        table("t.example") + "identitytoken = \"refresh\"\n" + table("b.example") + "auth = \"" +
        base64_encode("him:other") + "\"\n");
    const TemporaryFolder folder;
    write_file(folder / "auth.json", found.dump());
    const Credentials credentials(folder / "auth.json");
    CHECK(credentials.find("r.example:5000").user == "me");
    CHECK(credentials.find("r.example:5000").password == "secret");
    CHECK(credentials.find("t.example").identity_token == "refresh");
    CHECK(credentials.find("b.example", "any/thing").user == "him");
  }
  for (const char* other :
       {"", "= broken", "plugins = 7", "[plugins.cri.registry.configs]\n\"a.b\" = 7\n",
        "[plugins.cri.registry.configs.\"a.b\".auth]\nusername = 7\n",
        "[plugins.cri.registry.configs.\"a.b\"]\nauth = 7\n"}) {
    INFO(other);
    CHECK(containerd_auths(other) == Json{{"auths", Json::object()}});
  }
}
