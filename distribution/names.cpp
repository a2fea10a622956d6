#include "distribution/names.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "manifests/catalog.hpp"

namespace kbundle {
namespace {

// Any name: only the path behind it is of interest.
constexpr const char* kSomeRepository = "repository.invalid/x";

// The path kubeadm asks for below an imageRepository; empty when it is upstream's own.
std::string kubeadm_path(const Reference& upstream, std::string_view kubernetes_version) {
  if (kubernetes_version.empty()) return {};
  std::vector<std::pair<std::string, std::string>> retagged;
  try {
    retagged = Catalog::builtin().facts(kubernetes_version).retagged(kSomeRepository);
  } catch (const Error&) {
    return {};  // a bundle of a version that this kbundle does not know: its images still have
                // names
  }
  for (const auto& [name, other] : retagged) {
    if (Reference::parse(name).name() != upstream.name()) continue;
    return Reference::parse(other).repository().substr(std::string_view("x/").size());
  }
  return {};
}

}  // namespace

RegistryPrefix RegistryPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  RegistryPrefix prefix;
  std::string_view path = slash == std::string_view::npos ? "" : text.substr(slash + 1);
  while (path.ends_with('/')) path.remove_suffix(1);
  prefix.host = to_lower(text.substr(0, slash));
  prefix.path = path;
  const std::string shown = printable(text.substr(0, 200));
  if (prefix.host != "localhost" && prefix.host.find_first_of(".:") == std::string::npos)
    throw Error(ExitCode::usage, fmt::format("\"{}\" does not begin with a registry's host", shown),
                "write HOST[:PORT][/PREFIX], for example registry.local:5000/k8s");
  const Reference probe =
      with_context("the registry " + shown, [&] { return Reference::parse(prefix.str() + "/x"); });
  if (!probe.digest().empty() || probe.tag() != "latest" || probe.name() != prefix.str() + "/x")
    throw Error(ExitCode::usage, fmt::format("\"{}\" is not a registry with a path", shown),
                "write HOST[:PORT][/PREFIX], for example registry.local:5000/k8s");
  return prefix;
}

std::string RegistryPrefix::str() const {
  return path.empty() ? host : host + "/" + path;
}

Reference RegistryPrefix::name(const Reference& upstream) const {
  const std::string below =
      path.empty() ? upstream.repository() : path + "/" + upstream.repository();
  return upstream.with_host(host).with_repository(below);
}

std::vector<std::string> repositories_of(const Reference& upstream,
                                         std::string_view kubernetes_version) {
  std::vector<std::string> repositories{upstream.repository()};
  const std::string other = kubeadm_path(upstream, kubernetes_version);
  if (!other.empty() && other != upstream.repository()) repositories.push_back(other);
  return repositories;
}

std::vector<std::string> version_images(std::string_view kubernetes_version,
                                        const Selection& selection) {
  const Catalog& catalog = Catalog::builtin();
  std::vector<std::string> architectures;
  if (selection.all) architectures = catalog.architectures(catalog.facts(kubernetes_version), {});
  for (const Platform& platform : selection.platforms)
    architectures.push_back(platform.architecture);
  if (architectures.empty()) architectures.push_back(Platform::of_host().architecture);
  std::vector<std::string> images;
  for (const std::string& architecture : architectures) {
    for (std::string& name : catalog.image_names(kubernetes_version, architecture, "flannel")) {
      if (std::find(images.begin(), images.end(), name) == images.end())
        images.push_back(std::move(name));
    }
  }
  return images;
}

}  // namespace kbundle
