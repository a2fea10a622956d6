// manifests/catalog.yaml as values; what its fields mean stands there.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/version.hpp"
#include "manifests/catalog.hpp"

namespace kbundle {

struct VersionRange {
  Version from;
  std::optional<Version> to;  ///< absent: open
  bool holds(const Version& version) const { return version >= from && (!to || version <= *to); }
};

struct RepositoryRule : VersionRange {
  std::string repository;
};

struct CorednsRule : VersionRange {
  std::string default_path, custom_path;
};

struct TagRule : VersionRange {
  std::string etcd, coredns, pause;
};

struct ProgramRule {
  std::string name, url, sum, sum_name;
  std::optional<Version> sum_from;
  std::map<std::string, Version> arch_from;
  std::vector<std::string> optional;  ///< architectures that --with finds it for; empty: required
  bool archive = false;
  std::vector<DownloadFacts::Member> members;
};

struct CniRule {
  struct Release {
    std::string version, cni_namespace;
    std::vector<std::string> images;
  };
  std::string name, manifest, pod_subnet;
  std::vector<Release> releases;
};

struct FlagsGone {
  Version from;  ///< the first patch of the minor
  std::vector<std::string> flags;
};

struct MinorRule {
  std::string minor;
  KubernetesFacts facts;  ///< without what differs by patch
  std::vector<std::string> image_order;
  std::map<std::string, std::string> versions;  ///< of programs and add-ons
};

struct Catalog::Data {
  std::map<Version, std::string> never_build;
  std::vector<RepositoryRule> repositories;
  std::vector<CorednsRule> coredns_paths;
  std::vector<TagRule> tags;
  std::vector<std::string> architectures;
  std::vector<ProgramRule> programs;
  std::vector<CniRule> cni;
  std::vector<FlagsGone> kubelet_flags_gone;
  std::string keepalived_image;
  std::vector<std::string> keepalived_architectures;
  std::vector<MinorRule> minors;  ///< oldest first

  /// Error{internal} naming `what` and the key: the file is the project's own.
  static Data parse(std::string_view yaml, std::string_view what);
};

}  // namespace kbundle
