#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cli/mirror_flags.hpp"
#include "cli/verbs.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "manifests/mirror_presets.hpp"
#include "registry/mirror_config.hpp"

namespace kbundle::cli {
namespace {

struct Flags {
  MirrorFlags rules;
  std::filesystem::path containerd, docker;
  std::vector<std::string> plain_http;
  bool force = false;
  bool json = false;
};

std::string name_of(MirrorRule::Form form) {
  switch (form) {
    case MirrorRule::Form::kept:
      return "path kept";
    case MirrorRule::Form::flat:
      return "flat";
    case MirrorRule::Form::whole_reference:
      return "whole reference";
    case MirrorRule::Form::files:
      break;
  }
  return "files";
}

std::string note_on(const MirrorRule& rule) {
  const MirrorPreset* dead = MirrorPresets::builtin().dead_place(rule.to);
  return dead == nullptr ? std::string() : "dead: take --mirror-preset " + dead->instead;
}

std::string rules_text(const Mirrors& mirrors) {
  if (mirrors.empty()) return {};
  Table table({"FROM", "TO", "FORM", "NOTE"});
  for (const MirrorRule& rule : mirrors.rules()) {
    table.add({rule.from, rule.to, name_of(rule.form()), note_on(rule)});
  }
  return "rules, tried in this order, then upstream itself:\n\n" + table.str() + "\n";
}

std::string presets_text() {
  std::string living = "presets for --mirror-preset:\n\n";
  std::string dead = "dead, and refused:\n\n";
  for (const MirrorPreset& preset : MirrorPresets::builtin().all()) {
    if (!preset.dead.empty()) {
      dead += fmt::format("  {} ({})\n", preset.name, fmt::join(preset.hosts, ", ")) +
              wrap(fmt::format("{}; take {}", preset.dead, preset.instead), 80, 6);
      continue;
    }
    living += fmt::format("  {}\n", preset.name) + wrap(preset.note, 80, 6);
    for (const auto& [from, to] : preset.rules) living += fmt::format("      {}={}\n", from, to);
  }
  return living + "\n" + dead;
}

Json left_out_json(const std::vector<LeftOutRule>& rules) {
  Json list = Json::array();
  for (const LeftOutRule& each : rules)
    list.push_back({{"rule", each.rule.str()}, {"why", each.why}});
  return list;
}

std::string left_out_text(const std::vector<LeftOutRule>& rules) {
  std::string text;
  for (const LeftOutRule& each : rules) {
    text += fmt::format("left out {}: {}\n", each.rule.str(), each.why);
  }
  return text;
}

Json listing_json(const Mirrors& mirrors) {
  Json root = {{"rules", Json::array()}, {"presets", Json::array()}};
  for (const MirrorRule& rule : mirrors.rules()) {
    root["rules"].push_back({{"from", rule.from}, {"to", rule.to}, {"form", name_of(rule.form())}});
  }
  for (const MirrorPreset& preset : MirrorPresets::builtin().all()) {
    Json entry = {{"name", preset.name}, {"dead", !preset.dead.empty()}};
    if (preset.dead.empty()) {
      entry["note"] = preset.note;
      for (const auto& [from, to] : preset.rules) {
        entry["rules"].push_back({{"from", from}, {"to", to}});
      }
    } else {
      entry["why"] = preset.dead;
      entry["instead"] = preset.instead;
      entry["hosts"] = preset.hosts;
    }
    root["presets"].push_back(std::move(entry));
  }
  return root;
}

void show_or_write(const Flags& flags) {
  const Mirrors mirrors = flags.rules.mirrors();
  Json report = flags.json ? listing_json(mirrors) : Json::object();
  std::string text;
  const auto containerd = ContainerdMirrors::from(mirrors, flags.plain_http);
  const auto docker = DockerMirrors::from(mirrors, flags.plain_http);
  // Both or none.
  if (!flags.containerd.empty()) containerd.require_some();
  if (!flags.docker.empty()) docker.require_some();
  if (!flags.containerd.empty()) {
    Json written = Json::array();
    for (const auto& name : containerd.write(flags.containerd, flags.force)) {
      written.push_back(name.string());
      text += fmt::format("wrote {}\n", printable(name.string()));
    }
    text += left_out_text(containerd.left_out);
    text += fmt::format(
        "next: config_path = \"{}\" in config.toml, under "
        "[plugins.\"io.containerd.grpc.v1.cri\".registry]; containerd need not restart for "
        "hosts.toml files that change later\n",
        printable(flags.containerd.string()));
    report["containerd"] = {{"written", written}, {"leftOut", left_out_json(containerd.left_out)}};
  }
  if (!flags.docker.empty()) {
    docker.write(flags.docker);
    text += fmt::format("wrote {}: registry-mirrors {}\n", printable(flags.docker.string()),
                        fmt::join(docker.urls, ", "));
    text += left_out_text(docker.left_out) + "next: systemctl reload docker\n";
    report["docker"] = {{"written", flags.docker.string()},
                        {"leftOut", left_out_json(docker.left_out)}};
  }
  if (text.empty()) text = rules_text(mirrors) + presets_text();
  std::cout << (flags.json ? report.dump(2) + "\n" : text);
}

}  // namespace

void add_mirrors(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  auto* verb = app.add_subcommand(
      "mirrors", "list mirror rules and presets, or write them for containerd and Docker");
  add_mirror_flags(*verb, flags->rules);
  verb->add_option("--containerd", flags->containerd,
                   "write DIR/HOST/hosts.toml for each upstream host;\n"
                   "containerd looks into /etc/containerd/certs.d")
      ->type_name("DIR");
  verb->add_option("--docker", flags->docker,
                   "merge \"registry-mirrors\" into this daemon.json (docker.io only)")
      ->type_name("FILE");
  verb->add_option("--plain-http", flags->plain_http,
                   "a mirror that speaks HTTP, not HTTPS (may be repeated)")
      ->type_name("HOST");
  verb->add_flag("--force", flags->force, "replace hosts.toml files that something else wrote");
  verb->add_flag("--json", flags->json, "for machines");
  verb->footer(
      "examples:\n"
      "  kbundle mirrors\n"
      "  kbundle mirrors --mirror-preset daocloud --containerd /etc/containerd/certs.d\n"
      "  kbundle mirrors --mirror docker.io=hub.example --docker /etc/docker/daemon.json");
  verb->callback([flags] { show_or_write(*flags); });
}

}  // namespace kbundle::cli
