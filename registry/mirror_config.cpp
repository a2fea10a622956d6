#include "registry/mirror_config.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr const char* kMark = "# Written by kbundle mirrors, which replaces it.\n";
constexpr std::uint64_t kLargestFile = 4U << 20U;
constexpr const char* kDockerKey = "registry-mirrors";

std::string host_of(const std::string& place) {
  return place.substr(0, place.find('/'));
}

std::string path_of(const std::string& place) {
  const auto slash = place.find('/');
  return slash == std::string::npos ? std::string() : place.substr(slash + 1);
}

bool holds(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// Why neither program can be told this rule; empty when it depends.
std::string never_said(const MirrorRule& rule) {
  if (rule.form() == MirrorRule::Form::files) return "it is for files, not for images";
  if (rule.form() == MirrorRule::Form::flat) {
    return "it names a flat namespace, and only a repository's whole path can be passed on";
  }
  return {};
}

[[noreturn]] void nothing_to_write(const char* what, const std::vector<LeftOutRule>& left_out) {
  std::string text;
  for (const LeftOutRule& each : left_out) {
    text += fmt::format("\n    {}: {}", each.rule.str(), each.why);
  }
  throw Error(ExitCode::usage,
              left_out.empty() ? fmt::format("there are no mirror rules to write for {}", what)
                               : fmt::format("{} cannot be told any of these rules:{}", what, text),
              "name rules that keep the path, HOST=HOST[/PREFIX]: --mirror-preset daocloud-hosts");
}

// Those that a daemon.json has already, without slashes at their ends.
std::vector<std::string> present_mirrors(const Json& document, std::string_view what) {
  std::vector<std::string> mirrors;
  const Json list = document.value(kDockerKey, Json::array());
  for (const Json& url : list.is_array() ? list : Json::array({0})) {
    if (!url.is_string()) {
      throw Error(ExitCode::usage,
                  fmt::format("{}: \"{}\" is not a list of addresses", what, kDockerKey),
                  "repair it: Docker does not start with it either");
    }
    std::string text = url.get<std::string>();
    while (text.ends_with('/')) text.pop_back();
    mirrors.push_back(std::move(text));
  }
  return mirrors;
}

}  // namespace

ContainerdMirrors ContainerdMirrors::from(const Mirrors& mirrors,
                                          const std::vector<std::string>& plain_http) {
  ContainerdMirrors result;
  for (const MirrorRule& rule : mirrors.rules()) {
    std::string why = never_said(rule);
    if (why.empty() && rule.from.find('/') != std::string::npos) {
      why = "a hosts.toml is for all of a host, not for one of its paths";
    }
    if (!why.empty()) {
      result.left_out.push_back({rule, why});
      continue;
    }
    const std::string place = rule.place();
    std::string prefix = path_of(place);
    if (rule.form() == MirrorRule::Form::whole_reference) {
      prefix += (prefix.empty() ? "" : "/") + rule.from;
    }
    std::string host = host_of(place);
    const bool plain = holds(plain_http, host);
    host = api_host(host);
    const HostsToml::Endpoint endpoint = HostsToml::endpoint(host, prefix, plain);

    auto file = std::find_if(result.files.begin(), result.files.end(),
                             [&](const HostsToml& each) { return each.upstream == rule.from; });
    if (file == result.files.end()) {
      result.files.push_back({.upstream = rule.from});
      file = std::prev(result.files.end());
    }
    // A TOML table may be named once only; the second would not be asked again anyway.
    if (std::none_of(file->endpoints.begin(), file->endpoints.end(),
                     [&](const auto& each) { return each.url == endpoint.url; })) {
      file->endpoints.push_back(endpoint);
    }
  }
  return result;
}

void ContainerdMirrors::require_some() const {
  if (files.empty()) nothing_to_write("containerd", left_out);
}

std::vector<std::filesystem::path> ContainerdMirrors::write(const std::filesystem::path& folder,
                                                            bool force) const {
  require_some();
  std::vector<std::filesystem::path> names;
  for (const HostsToml& file : files) {
    names.push_back(folder / file.upstream / "hosts.toml");
    const auto existing = read_file_if_exists(names.back(), kLargestFile);
    if (existing && !force && !existing->starts_with(kMark)) {
      throw Error(ExitCode::usage,
                  fmt::format("{} is there, and something else wrote it; nothing was written",
                              printable(names.back().string())),
                  "move it away, or replace it with --force");
    }
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    make_folders(names[i].parent_path());
    write_file(names[i], kMark + files[i].text());
  }
  return names;
}

DockerMirrors DockerMirrors::from(const Mirrors& mirrors,
                                  const std::vector<std::string>& plain_http) {
  DockerMirrors result;
  for (const MirrorRule& rule : mirrors.rules()) {
    std::string why = never_said(rule);
    const std::string place = rule.place();
    if (why.empty() && rule.from != "docker.io") {
      why = "Docker asks mirrors for docker.io's images only";
    }
    if (why.empty() &&
        (rule.form() == MirrorRule::Form::whole_reference || !path_of(place).empty())) {
      why = "Docker takes whole hosts only, without a path";
    }
    if (!why.empty()) {
      result.left_out.push_back({rule, why});
      continue;
    }
    const std::string url = (holds(plain_http, place) ? "http://" : "https://") + place;
    if (!holds(result.urls, url)) result.urls.push_back(url);
  }
  return result;
}

std::string DockerMirrors::merged(const std::string& existing, std::string_view what) const {
  std::vector<std::string> all = urls;
  // Keys keep the order that their owner gave them.
  auto document = nlohmann::ordered_json::object();
  if (!trim(existing).empty()) {
    Json checked;
    try {
      checked = parse_json(existing, what);
      document = nlohmann::ordered_json::parse(existing);
    } catch (const Error& error) {
      throw Error(ExitCode::usage, error.message(), "repair it: Docker does not start with it");
    }
    if (!checked.is_object()) {
      throw Error(ExitCode::usage, fmt::format("{} is not a JSON object", what),
                  "repair it: Docker does not start with it");
    }
    for (std::string& url : present_mirrors(checked, what)) {
      if (!holds(all, url)) all.push_back(std::move(url));
    }
  }
  document[kDockerKey] = all;
  return document.dump(2) + "\n";
}

void DockerMirrors::require_some() const {
  if (urls.empty()) nothing_to_write("Docker", left_out);
}

void DockerMirrors::write(const std::filesystem::path& file) const {
  require_some();
  // The file that a link leads to is written, not a file in the link's place.
  const std::filesystem::path target = std::filesystem::weakly_canonical(file);
  const std::string existing = read_file_if_exists(target, kLargestFile).value_or("");
  struct stat status {};
  const bool is_there = ::stat(target.c_str(), &status) == 0;
  const std::string text = merged(existing, printable(file.string()));
  make_folders(target.parent_path());
  write_file(target, text, is_there ? status.st_mode & 0777U : 0644U);
}

}  // namespace kbundle
