#include "manifests/mirror_presets.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "core/error.hpp"

namespace kbundle {
namespace {

Error refusal(const std::string& name) {
  try {
    MirrorPresets::builtin().find(name);
  } catch (const Error& error) {
    return error;
  }
  FAIL("no Error for " << name);
  throw;
}

bool says(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

TEST_CASE("the living presets have rules, and each name stands once") {
  std::set<std::string> names;
  bool dead = false;
  for (const MirrorPreset& preset : MirrorPresets::builtin().all()) {
    INFO(preset.name);
    CHECK(names.insert(preset.name).second);
    CHECK((dead ? !preset.dead.empty() : true));  // the living first
    dead = !preset.dead.empty();
    CHECK(preset.rules.empty() == dead);
  }
  CHECK(names.contains("aliyun"));
  CHECK(names.contains("daocloud"));
  CHECK(dead);
}

TEST_CASE("aliyun is flat, for both names of Kubernetes' registry") {
  const MirrorPreset& aliyun = MirrorPresets::builtin().find("aliyun");
  CHECK(aliyun.rules.front() ==
        std::pair<std::string, std::string>{
            "k8s.gcr.io", "registry.cn-hangzhou.aliyuncs.com/google_containers/*"});
  std::set<std::string> from;
  for (const auto& rule : aliyun.rules) from.insert(rule.first);
  CHECK(from == std::set<std::string>{"k8s.gcr.io", "registry.k8s.io", "dl.k8s.io"});
}

TEST_CASE("a dead one is refused with what died, when, and what to take") {
  for (const char* name : {"azk8s", "gcr.azk8s.cn", "quay.azk8s.cn", "dockerhub.azk8s.cn"}) {
    const Error error = refusal(name);
    CHECK(error.code() == ExitCode::usage);
    CHECK(says(error.message(), name));
    CHECK(says(error.message(), "2020-04-02"));
    CHECK(says(error.hint(), "--mirror-preset daocloud"));
  }
  CHECK(says(refusal("mirrorgooglecontainers").hint(), "--mirror-preset aliyun"));
  CHECK(says(refusal("quay-mirror.qiniu.com").hint(), "--mirror-preset"));
  CHECK(says(refusal("ustc").message(), "dead"));
  // Never heard of: the living ones are named.
  CHECK(says(refusal("example").message(), "no mirror preset"));
  CHECK(says(refusal("example").hint(), "aliyun, daocloud"));
  CHECK_FALSE(says(refusal("example").hint(), "azk8s"));
}

TEST_CASE("places of the dead are known, their neighbours are not") {
  const MirrorPresets& presets = MirrorPresets::builtin();
  for (const char* place :
       {"gcr.azk8s.cn/google_containers/*", "https://dockerhub.azk8s.cn", "any.azk8s.cn",
        "docker.io/mirrorgooglecontainers/*", "abcdefgh.mirror.aliyuncs.com"}) {
    INFO(place);
    CHECK(presets.dead_place(place) != nullptr);
  }
  for (const char* place :
       {"notazk8s.cn", "azk8s.cn.example", "docker.io/mirrorgooglecontainersx", "docker.io",
        "registry.cn-hangzhou.aliyuncs.com/google_containers/*", "r.example/azk8s.cn"}) {
    INFO(place);
    CHECK(presets.dead_place(place) == nullptr);
  }
}

TEST_CASE("a broken list is a bug that is named") {
  const auto parse = [](const std::string& presets) {
    return MirrorPresets::parse("format: 1\npresets:\n" + presets, "list");
  };
  CHECK_NOTHROW(parse("- {name: a, note: n, rules: [{from: x.y, to: z.y}]}\n"));
  for (const char* bad :
       {"- {name: a}\n", "- {note: n, rules: [{from: x.y, to: z.y}]}\n",
        "- {name: a, note: n, rules: [{from: x.y, to: z.y}], hots: [h]}\n",
        "- {name: a, dead: d, hosts: [h]}\n", "- {name: a, dead: d, instead: b, hosts: [h.x]}\n",
        "- {name: a, dead: d, instead: a, hosts: [h.x]}\n", "- ["}) {
    INFO(bad);
    CHECK_THROWS_AS(parse(bad), Error);
  }
  CHECK_THROWS_AS(MirrorPresets::parse("format: 2", "list"), Error);
}

}  // namespace
}  // namespace kbundle
