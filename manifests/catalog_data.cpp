#include "manifests/catalog_data.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ExitCode::internal, why, "this file is part of kbundle; report it");
}

YAML::Node need(const YAML::Node& map, const char* key) {
  const YAML::Node value = map.IsMap() ? map[key] : YAML::Node(YAML::NodeType::Undefined);
  if (!value.IsDefined()) refuse(fmt::format("line {}: no \"{}\"", map.Mark().line + 1, key));
  return value;
}

template <typename Value>
Value get(const YAML::Node& map, const char* key) {
  return need(map, key).as<Value>();
}

std::string optional_string(const YAML::Node& map, const char* key) {
  return map[key] ? map[key].as<std::string>() : std::string();
}

Version version_of(const std::string& text) {
  const auto version = Version::parse(text);
  if (!version) refuse(fmt::format("\"{}\" is not a version", text));
  return *version;
}

template <typename Rule>
Rule range(const YAML::Node& node) {
  Rule rule;
  rule.from = version_of(get<std::string>(node, "from"));
  if (node["to"]) rule.to = version_of(node["to"].as<std::string>());
  return rule;
}

KubeadmPhase phase_of(const std::string& text) {
  KubeadmPhase phase;
  for (const std::string& word : split(text, ' ')) {
    if (word == "WAIT") {
      phase.own_wait = true;
    } else if (word == "HIDDEN") {
      phase.hidden = true;
    } else if (word.starts_with("--")) {
      phase.extra_flags.push_back(word);
    } else {
      phase.words.push_back(word);
    }
  }
  if (phase.words.empty()) refuse("a phase has no name");
  phase.takes_config = !phase.own_wait;
  return phase;
}

std::vector<KubeadmPhase> phases_of(const YAML::Node& list) {
  std::vector<KubeadmPhase> phases;
  for (const auto& text : list) phases.push_back(phase_of(text.as<std::string>()));
  return phases;
}

ProgramRule program_of(const YAML::Node& node) {
  ProgramRule program;
  program.name = get<std::string>(node, "name");
  program.url = get<std::string>(node, "url");
  program.sum = optional_string(node, "sum");
  program.sum_name = optional_string(node, "sum_name");
  if (node["sum_from"]) program.sum_from = version_of(node["sum_from"].as<std::string>());
  for (const auto& since : node["arch_from"]) {
    program.arch_from.emplace(since.first.as<std::string>(),
                              version_of(since.second.as<std::string>()));
  }
  if (node["optional"]) program.optional = node["optional"].as<std::vector<std::string>>();
  program.archive = node["archive"] && node["archive"].as<bool>();
  for (const auto& member : need(node, "members")) {
    program.members.push_back(
        {optional_string(member, "member"), get<std::string>(member, "path"), 0755});
  }
  return program;
}

CniRule cni_of(const YAML::Node& node) {
  CniRule cni;
  cni.name = get<std::string>(node, "name");
  cni.manifest = get<std::string>(node, "manifest");
  cni.pod_subnet = get<std::string>(node, "pod_subnet");
  for (const auto& release : need(node, "versions")) {
    cni.releases.push_back({get<std::string>(release, "version"),
                            get<std::string>(release, "namespace"),
                            get<std::vector<std::string>>(release, "images")});
  }
  return cni;
}

// `all` holds every key of the minor, its own or taken over.
MinorRule minor_of(const YAML::Node& all) {
  using Strings = std::vector<std::string>;
  MinorRule minor;
  minor.minor = get<std::string>(all, "minor");
  minor.image_order = get<Strings>(all, "image_order");
  minor.versions = get<std::map<std::string, std::string>>(all, "versions");
  KubernetesFacts& facts = minor.facts;
  facts.kubeadm_api = get<std::string>(all, "kubeadm_api");
  facts.extra_args_as_list = get<bool>(all, "extra_args_as_list");
  facts.init_phases = phases_of(need(all, "init_phases"));
  facts.join_worker_phases = phases_of(need(all, "join_worker_phases"));
  facts.join_master_phases = phases_of(need(all, "join_master_phases"));
  facts.reset_phases = get<Strings>(all, "reset_phases");
  facts.cri_socket_prefix = get<std::string>(all, "cri_socket_prefix");
  facts.binaries_error = get<Strings>(all, "binaries_error");
  facts.binaries_warning = get<Strings>(all, "binaries_warning");
  facts.kernel_min = get<std::string>(all, "kernel_min");
  facts.kernels_tested = get<Strings>(all, "kernels_tested");
  facts.cgroup_controllers = get<Strings>(all, "cgroup_controllers");
  facts.swap_is_error = get<std::string>(all, "swap") == "error";
  facts.needs_bridge_nf = get<bool>(all, "needs_bridge_nf");
  facts.knows_cgroup_v2 = get<bool>(all, "knows_cgroup_v2");
  facts.cgroup_v1_host = get<std::string>(all, "cgroup_v1_host");
  facts.min_cpu = get<int>(all, "min_cpu");
  facts.min_memory_mb = get<int>(all, "min_memory_mb");
  facts.master_ports = get<std::vector<int>>(all, "master_ports");
  facts.worker_ports = get<std::vector<int>>(all, "worker_ports");
  facts.control_plane_label = get<std::string>(all, "control_plane_label");
  facts.control_plane_taints = get<Strings>(all, "control_plane_taints");
  facts.kubelet_configmap = get<std::string>(all, "kubelet_configmap");
  facts.kubelet_skew = get<int>(all, "kubelet_skew");
  facts.upgrade_needs_crictl = get<bool>(all, "upgrade_needs_crictl");
  facts.eviction_api = get<std::string>(all, "eviction_api");
  facts.certs_renew = get<Strings>(all, "certs_renew");
  facts.min_containerd = get<std::string>(all, "min_containerd");
  facts.max_containerd = get<std::string>(all, "max_containerd");
  return minor;
}

}  // namespace

Catalog::Data Catalog::Data::parse(std::string_view yaml, std::string_view what) {
  return with_context(fmt::format("reading {}", what), [&] {
    try {
      const YAML::Node root = YAML::Load(std::string(yaml));
      if (get<int>(root, "format") != 1) refuse("its format is not 1");
      Data data;
      for (const auto& entry : need(root, "never_build")) {
        data.never_build[version_of(entry.first.as<std::string>())] =
            entry.second.as<std::string>();
      }
      for (const auto& node : need(root, "image_repositories")) {
        auto rule = range<RepositoryRule>(node);
        rule.repository = get<std::string>(node, "repository");
        data.repositories.push_back(std::move(rule));
      }
      for (const auto& node : need(root, "coredns_paths")) {
        auto rule = range<CorednsRule>(node);
        rule.default_path = get<std::string>(node, "default");
        rule.custom_path = get<std::string>(node, "custom");
        data.coredns_paths.push_back(std::move(rule));
      }
      for (const auto& node : need(root, "image_tags")) {
        auto rule = range<TagRule>(node);
        if (!rule.to) refuse("image_tags: a range without an end");
        rule.etcd = get<std::string>(node, "etcd");
        rule.coredns = get<std::string>(node, "coredns");
        rule.pause = get<std::string>(node, "pause");
        data.tags.push_back(std::move(rule));
      }
      data.architectures = get<std::vector<std::string>>(root, "architectures");
      for (const auto& node : need(root, "programs")) data.programs.push_back(program_of(node));
      for (const auto& node : need(root, "cni")) data.cni.push_back(cni_of(node));
      for (const auto& node : need(root, "kubelet_flags_gone")) {
        data.kubelet_flags_gone.push_back({version_of(get<std::string>(node, "from") + ".0"),
                                           get<std::vector<std::string>>(node, "flags")});
      }
      const YAML::Node address = need(root, "virtual_address");
      data.keepalived_image = get<std::string>(address, "image");
      data.keepalived_architectures = get<std::vector<std::string>>(address, "architectures");
      YAML::Node all(YAML::NodeType::Map);
      for (const auto& node : need(root, "minors")) {
        for (const auto& entry : node) all[entry.first.as<std::string>()] = entry.second;
        data.minors.push_back(minor_of(all));
      }
      return data;
    } catch (const YAML::Exception& error) {
      refuse(error.what());
    }
  });
}

}  // namespace kbundle
