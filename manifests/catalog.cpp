#include "manifests/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "manifests/catalog_data.hpp"
#include "manifests/embedded.hpp"

namespace kbundle {
namespace {

using Values = std::vector<std::pair<std::string_view, std::string>>;

// Replaces each {word} that `values` names.
std::string fill(std::string text, const Values& values) {
  for (const auto& [word, value] : values) {
    const std::string hole = "{" + std::string(word) + "}";
    for (auto at = text.find(hole); at != std::string::npos;
         at = text.find(hole, at + value.size())) {
      text.replace(at, hole.size(), value);
    }
  }
  return text;
}

template <typename Rule>
const Rule* find_rule(const std::vector<Rule>& rules, const Version& version) {
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const Rule& each) { return each.holds(version); });
  return rule == rules.end() ? nullptr : &*rule;
}

template <typename Rule>
const Rule& need_rule(const std::vector<Rule>& rules, const Version& version, const char* what) {
  const Rule* rule = find_rule(rules, version);
  if (rule == nullptr) {
    throw Error(ExitCode::internal,
                fmt::format("the catalog has no {} for {}", what, version.str()));
  }
  return *rule;
}

const MinorRule* find_minor(const std::vector<MinorRule>& minors, const Version& version) {
  const auto found = std::find_if(minors.begin(), minors.end(), [&](const MinorRule& each) {
    return each.minor == version.minor_str();
  });
  return found == minors.end() ? nullptr : &*found;
}

}  // namespace

std::string KubeadmPhase::id() const {
  return join(words, "/");
}

std::vector<std::pair<std::string, std::string>> KubernetesFacts::retagged(
    const std::string& repository) const {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& image : images) {
    std::string path = image.substr(image_repository.size() + 1);
    if (path.starts_with("coredns") && repository != image_repository) {
      path = coredns_custom_path + path.substr(path.rfind(':'));
    }
    pairs.emplace_back(image, repository + "/" + path);
  }
  return pairs;
}

const Catalog& Catalog::builtin() {
  static const Catalog catalog = [] {
    for (const EmbeddedFile& file : embedded_files()) {
      if (file.name == "catalog.yaml") return parse(file.text, "the built-in version catalog");
    }
    throw Error(ExitCode::internal, "the version catalog is not compiled in");
  }();
  return catalog;
}

Catalog Catalog::parse(std::string_view yaml, std::string_view what) {
  Catalog catalog;
  catalog.data_ = std::make_shared<const Data>(Data::parse(yaml, what));
  return catalog;
}

std::vector<std::string> Catalog::minors() const {
  std::vector<std::string> names;
  for (const MinorRule& minor : data_->minors) names.push_back(minor.minor);
  return names;
}

std::string Catalog::known_versions() const {
  std::vector<std::string> known;
  for (const MinorRule& minor : data_->minors) {
    std::optional<Version> first;
    Version last;
    for (const TagRule& rule : data_->tags) {
      if (rule.from.minor_str() != minor.minor) continue;
      if (!first) first = rule.from;
      last = *rule.to;
    }
    if (first)
      known.push_back(fmt::format("{}  {} to {}\n", minor.minor, first->str(), last.str()));
  }
  return fmt::format("{}", fmt::join(known, ""));
}

std::string Catalog::known_minors() const {
  return fmt::format("every minor from {} to {}", data_->minors.front().minor,
                     data_->minors.back().minor);
}

std::string Catalog::oldest_minor_with_cgroup_v2() const {
  for (const MinorRule& minor : data_->minors) {
    if (minor.facts.knows_cgroup_v2) return minor.minor;
  }
  return {};
}

KubernetesFacts Catalog::facts(std::string_view version_text) const {
  const auto version = Version::parse(version_text);
  if (!version) {
    throw Error(ExitCode::usage,
                fmt::format("\"{}\" is not a Kubernetes version; wanted one like v1.18.2",
                            printable(version_text.substr(0, 80))),
                "kbundle knows " + known_minors() + "; `kbundle version` lists their patches");
  }
  const MinorRule* minor = find_minor(data_->minors, *version);
  const TagRule* tags = find_rule(data_->tags, *version);
  if (minor == nullptr || tags == nullptr || !version->prerelease.empty()) {
    throw Error(ExitCode::usage,
                fmt::format("Kubernetes {} is not in kbundle's catalog", version->str()),
                "kbundle knows " + known_minors() + "; `kbundle version` lists their patches");
  }
  if (const auto reason = data_->never_build.find(*version); reason != data_->never_build.end()) {
    throw Error(ExitCode::usage,
                fmt::format("Kubernetes {} must not be used: {}", version->str(), reason->second),
                fmt::format("take another patch of {}", minor->minor));
  }

  KubernetesFacts facts = minor->facts;
  facts.version = *version;
  facts.keepalived_image = data_->keepalived_image;
  facts.keepalived_architectures = data_->keepalived_architectures;
  facts.image_repository = need_rule(data_->repositories, *version, "image repository").repository;
  const CorednsRule& coredns = need_rule(data_->coredns_paths, *version, "CoreDNS path");
  facts.coredns_custom_path = coredns.custom_path;
  facts.kubelet_configmap = fill(facts.kubelet_configmap, {{"minor", minor->minor}});
  for (const FlagsGone& gone : data_->kubelet_flags_gone) {
    if (*version < gone.from) continue;
    facts.kubelet_flags_gone.insert(facts.kubelet_flags_gone.end(), gone.flags.begin(),
                                    gone.flags.end());
  }
  for (const std::string& name : minor->image_order) {
    std::string path = name;
    std::string tag = version->str();
    if (name == "coredns") {
      path = coredns.default_path;
      tag = tags->coredns;
    } else if (name == "etcd") {
      tag = tags->etcd;
    } else if (name == "pause") {
      tag = tags->pause;
    }
    facts.images.push_back(fmt::format("{}/{}:{}", facts.image_repository, path, tag));
    if (name == "pause") facts.pause_image = facts.images.back();
  }
  return facts;
}

std::vector<std::string> Catalog::architectures(const KubernetesFacts& facts,
                                                const std::vector<std::string>& without) const {
  std::vector<std::string> found;
  for (const std::string& architecture : data_->architectures) {
    const auto programs = downloads(facts, architecture);
    const bool has_all = std::all_of(programs.begin(), programs.end(), [&](const auto& program) {
      if (std::find(without.begin(), without.end(), program.component) != without.end())
        return true;
      const auto rule =
          std::find_if(data_->programs.begin(), data_->programs.end(),
                       [&](const auto& each) { return each.name == program.component; });
      const auto since = rule->arch_from.find(architecture);
      return since == rule->arch_from.end() || *Version::parse(program.version) >= since->second;
    });
    if (has_all) found.push_back(architecture);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> Catalog::optional_programs(const KubernetesFacts& facts,
                                                    const std::string& architecture) const {
  const MinorRule& minor = *find_minor(data_->minors, facts.version);
  std::vector<std::string> names;
  for (const ProgramRule& program : data_->programs) {
    const auto& known = program.optional;
    if (minor.versions.contains(program.name) &&
        std::find(known.begin(), known.end(), architecture) != known.end())
      names.push_back(program.name);
  }
  return names;
}

std::vector<DownloadFacts> Catalog::downloads(const KubernetesFacts& facts,
                                              const std::string& architecture,
                                              const std::vector<std::string>& with) const {
  const auto& known = data_->architectures;
  if (std::find(known.begin(), known.end(), architecture) == known.end()) {
    throw Error(
        ExitCode::usage,
        fmt::format("there are no programs for the architecture \"{}\"", printable(architecture)),
        fmt::format("kbundle knows {}", fmt::join(known, ", ")));
  }
  const MinorRule& minor = *find_minor(data_->minors, facts.version);
  std::vector<DownloadFacts> downloads;
  for (const ProgramRule& program : data_->programs) {
    if (!program.optional.empty() &&
        std::find(with.begin(), with.end(), program.name) == with.end())
      continue;
    const auto own = minor.versions.find(program.name);
    const std::string version = own == minor.versions.end() ? facts.version.str() : own->second;
    const auto parsed = Version::parse(version);
    if (!parsed) throw Error(ExitCode::internal, program.name + ": bad version " + version);
    const Values values{{"kubernetes", facts.version.str()},
                        {"version", version},
                        {"number", version.substr(1)},
                        {"arch", architecture}};
    DownloadFacts download;
    download.component = program.name;
    download.version = version;
    download.url = fill(program.url, values);
    if (!program.sum.empty() && (!program.sum_from || *parsed >= *program.sum_from)) {
      download.sum_url = fill(program.sum, values);
      download.sum_name = fill(program.sum_name, values);
    }
    download.archive = program.archive;
    download.members = program.members;
    downloads.push_back(std::move(download));
  }
  return downloads;
}

std::optional<CniFacts> Catalog::cni(const KubernetesFacts& facts, const std::string& name,
                                     const std::string& architecture) const {
  for (const MinorRule& minor : data_->minors) {
    if (minor.minor != facts.version.minor_str()) continue;
    const auto version = minor.versions.find(name);
    if (version == minor.versions.end()) return std::nullopt;
    for (const CniRule& rule : data_->cni) {
      if (rule.name != name) continue;
      for (const CniRule::Release& release : rule.releases) {
        if (release.version != version->second) continue;
        CniFacts cni{name, release.version, fill(rule.manifest, {{"version", release.version}}),
                     {},   rule.pod_subnet, release.cni_namespace};
        for (const std::string& image : release.images) {
          cni.images.push_back(fill(image, {{"arch", architecture}}));
        }
        return cni;
      }
    }
  }
  return std::nullopt;
}

std::vector<std::string> Catalog::image_names(std::string_view version,
                                              const std::string& architecture,
                                              const std::string& cni_name) const {
  const KubernetesFacts known = facts(version);
  downloads(known, architecture);  // refuses an architecture that there is nothing for
  std::vector<std::string> names = known.images;
  if (cni_name == "none") return names;
  const auto add_on = cni(known, cni_name, architecture);
  if (!add_on) {
    throw Error(ExitCode::usage,
                fmt::format("there is no network add-on \"{}\" for {}", printable(cni_name),
                            known.version.str()),
                "take flannel, none, or a manifest file of your own");
  }
  names.insert(names.end(), add_on->images.begin(), add_on->images.end());
  return names;
}

}  // namespace kbundle
