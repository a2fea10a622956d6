#include "registry/mirrors.hpp"

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kLargestFile = 1U << 20U;
constexpr std::size_t kMostRules = 1'000;
constexpr std::string_view kFlat = "/*";
constexpr std::string_view kWhole = "/{ref}";

[[noreturn]] void refuse(std::string_view rule, const std::string& why) {
  throw Error(ExitCode::usage,
              fmt::format("\"{}\" is not a mirror rule: {}", printable(rule.substr(0, 200)), why),
              "write it as FROM=TO, for example k8s.gcr.io=mirror.example.com/k8s");
}

std::string without_trailing_slash(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  return std::string(text);
}

bool is_url(std::string_view text) {
  return text.find("://") != std::string_view::npos;
}

// What follows `from` in `name`, at a component's border: "a/b" in "a/b/c" leaves "c".
std::optional<std::string_view> rest_behind(std::string_view name, std::string_view from) {
  if (!name.starts_with(from)) return std::nullopt;
  name.remove_prefix(from.size());
  if (name.empty()) return name;
  if (name.front() != '/') return std::nullopt;
  return name.substr(1);
}

// Applies a rule to "HOST/PATH"; nullopt when it is for something else.
std::optional<std::string> place_for(const MirrorRule& rule, std::string_view name) {
  const auto rest = rest_behind(name, rule.from);
  if (!rest) return std::nullopt;
  const std::string_view to = rule.to;
  if (to.ends_with(kWhole))
    return fmt::format("{}/{}", to.substr(0, to.size() - kWhole.size()), name);
  if (to.ends_with(kFlat))
    return fmt::format("{}/{}", to.substr(0, to.size() - kFlat.size()),
                       name.substr(name.rfind('/') + 1));
  return rest->empty() ? std::string(to) : fmt::format("{}/{}", to, *rest);
}

// Kubernetes moved its registry; the same images, digest by digest, are under both names.
std::optional<std::string> fall_over(const std::string& host) {
  if (host == "k8s.gcr.io") return "registry.k8s.io";
  if (host == "registry.k8s.io") return "k8s.gcr.io";
  return std::nullopt;
}

template <typename Place>
void add_once(std::vector<Place>& places, Place place) {
  if (std::find(places.begin(), places.end(), place) == places.end())
    places.push_back(std::move(place));
}

void check_text(std::string_view rule, std::string_view side) {
  if (side.empty()) refuse(rule, "one side is empty");
  for (const char c : side) {
    if (c <= ' ' || c >= 0x7f || c == '?' || c == '#' || c == '@' || c == '\\' || c == '"')
      refuse(rule, "a name has only letters, digits and . _ - : / in it");
  }
}

std::string yaml_text(const YAML::Node& entry, const char* key, std::string_view what) {
  const YAML::Node value = entry[key];
  if (!value || !value.IsScalar())
    throw Error(ExitCode::usage, fmt::format("{}:{}: an entry of \"mirrors\" has no \"{}\"", what,
                                             entry.Mark().line + 1, key));
  return value.Scalar();
}

}  // namespace

MirrorRule MirrorRule::parse(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) refuse(text, "there is no \"=\"");
  MirrorRule rule;
  std::string_view from = trim(text.substr(0, equals));
  const std::string_view to = trim(text.substr(equals + 1));
  check_text(text, from);
  check_text(text, to);
  if (from.starts_with("https://")) from.remove_prefix(8);
  if (is_url(from)) refuse(text, "FROM is a host with an optional path");
  rule.from = without_trailing_slash(from);
  rule.to = without_trailing_slash(to);
  if (rule.from == "index.docker.io") rule.from = "docker.io";
  if (rule.from.empty() || rule.to.empty()) refuse(text, "one side is empty");
  if (is_url(rule.to) && !rule.to.starts_with("https://") && !rule.to.starts_with("http://"))
    refuse(text, "TO is a host or an https:// URL");

  std::string_view target = rule.to;
  const bool whole = target.ends_with(kWhole);
  const bool flat = target.ends_with(kFlat);
  if (whole) target.remove_suffix(kWhole.size());
  if (flat) target.remove_suffix(kFlat.size());
  if (target.find_first_of("*{}") != std::string_view::npos || target.empty())
    refuse(text, "\"*\" and \"{ref}\" may only be the last component of TO");
  if (is_url(target)) {
    if (target.size() <= target.find("://") + 3) refuse(text, "TO has no host");
  } else {
    // Reference knows what a host and a path are. A first component that could be Docker Hub's
    // would be read as one, so it has to look like a host.
    const std::string_view host = target.substr(0, target.find('/'));
    if (host != "localhost" && host.find_first_of(".:") == std::string_view::npos)
      refuse(text, fmt::format("\"{}\" is not a host (it has neither dot nor port)", host));
    try {
      Reference::parse(std::string(target) + "/x");
    } catch (const Error& error) {
      refuse(text, error.message());
    }
  }
  return rule;
}

MirrorRule::Form MirrorRule::form() const {
  if (is_url(to)) return Form::files;
  if (to.ends_with(kWhole)) return Form::whole_reference;
  return to.ends_with(kFlat) ? Form::flat : Form::kept;
}

std::string MirrorRule::place() const {
  std::string_view rest = to;
  if (rest.ends_with(kWhole)) rest.remove_suffix(kWhole.size());
  if (rest.ends_with(kFlat)) rest.remove_suffix(kFlat.size());
  return std::string(rest);
}

Mirrors Mirrors::read(const std::filesystem::path& file) {
  const std::string what = printable(file.string());
  const std::string text = read_file(file, kLargestFile);
  std::vector<MirrorRule> rules;
  try {
    const YAML::Node document = YAML::Load(text);
    if (!document.IsMap() || !document["mirrors"] || !document["mirrors"].IsSequence())
      throw Error(ExitCode::usage, fmt::format("{}: there is no list \"mirrors\"", what),
                  "write `mirrors: [{from: k8s.gcr.io, to: mirror.example.com/k8s}]`");
    for (const YAML::Node& entry : document["mirrors"]) {
      if (!entry.IsMap())
        throw Error(ExitCode::usage,
                    fmt::format("{}:{}: an entry of \"mirrors\" is not {{from: …, to: …}}", what,
                                entry.Mark().line + 1));
      for (const auto& member : entry) {
        const std::string key = member.first.IsScalar() ? member.first.Scalar() : "";
        if (key != "from" && key != "to")
          throw Error(ExitCode::usage, fmt::format("{}:{}: unknown key \"{}\"", what,
                                                   member.first.Mark().line + 1, printable(key)));
      }
      rules.push_back(with_context(what, [&] {
        return MirrorRule::parse(yaml_text(entry, "from", what) + "=" +
                                 yaml_text(entry, "to", what));
      }));
      if (rules.size() > kMostRules)
        throw Error(ExitCode::usage, fmt::format("{}: more than {} rules", what, kMostRules));
    }
  } catch (const YAML::Exception& error) {
    throw Error(ExitCode::usage, fmt::format("{}: {}", what, printable(error.what())));
  }
  return Mirrors(std::move(rules));
}

void Mirrors::append(const Mirrors& later) {
  rules_.insert(rules_.end(), later.rules_.begin(), later.rules_.end());
}

std::vector<Reference> Mirrors::places(const Reference& upstream) const {
  std::vector<Reference> result;
  const std::string suffix = upstream.str().substr(upstream.name().size());
  for (const MirrorRule& rule : rules_) {
    if (is_url(rule.to)) continue;  // for files only
    const auto name = place_for(rule, upstream.name());
    if (!name) continue;
    if (name->find('/') == std::string::npos)
      throw Error(ExitCode::usage,
                  fmt::format("the mirror rule {}={} leaves no repository for {}", rule.from,
                              rule.to, upstream.str()),
                  "add the repository's path to the rule's right side");
    // parse() would complete Docker Hub's short names: that is wanted for TO = docker.io as well.
    add_once(result, with_context(fmt::format("mirror rule {}={}", rule.from, rule.to),
                                  [&] { return Reference::parse(*name + suffix); }));
  }
  add_once(result, upstream);
  if (const auto host = fall_over(upstream.host())) add_once(result, upstream.with_host(*host));
  return result;
}

bool Mirrors::is_upstream(const Reference& place, const Reference& upstream) {
  if (place == upstream) return true;
  const auto host = fall_over(upstream.host());
  return host && place == upstream.with_host(*host);
}

std::vector<std::string> Mirrors::places(const std::string& url) const {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return {url};
  const std::string prefix = url.substr(0, scheme + 3);
  const std::string_view name = std::string_view(url).substr(scheme + 3);
  std::vector<std::string> result;
  for (const MirrorRule& rule : rules_) {
    if (const auto place = place_for(rule, name))
      add_once(result, is_url(rule.to) ? *place : prefix + *place);
  }
  add_once(result, url);
  return result;
}

}  // namespace kbundle
