#include "builder/programs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/archives.hpp"
#include "builder/published_sum.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kMaxSumFile = 1U << 20U;

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// Fetches the release file and fills in everything but the records.
ResolvedFile fetch_release(Fetcher& fetcher, const DownloadFacts& facts,
                           const std::string& architecture, const LockedFile* locked,
                           Progress& progress) {
  ResolvedFile file;
  file.locked = {facts.component, facts.version, architecture, facts.url, {}, 0, "published"};
  Digest expected;
  if (locked != nullptr) {
    file.locked = *locked;
    expected = locked->digest;
  } else if (!facts.sum_url.empty()) {
    const std::string name = facts.sum_name.empty() ? base_name(facts.url) : facts.sum_name;
    const auto sum = fetcher.file(facts.sum_url, kMaxSumFile, [&](const std::string& text) {
      published_sum(text, name, facts.sum_url);
    });
    file.sum_from = sum.from;
    expected = published_sum(sum.text, name, facts.sum_url);
    // A mirror that serves a changed file can serve the sum that fits it.
    if (sum.from != facts.sum_url) {
      file.locked.sum = "recorded";
      progress.warn(
          fmt::format("{} gave the sum of {}, not its own project; bundle.lock holds it: "
                      "compare it with upstream's when you can",
                      sum.from, name));
    }
  }
  // After the sum: a bar that waits for another request looks like a stall.
  const auto task = progress.start(fmt::format("{} {}", file.locked.component, file.locked.version),
                                   locked == nullptr ? 0 : locked->size);
  const auto advance = [&](std::uint64_t bytes) { task->advance(bytes); };
  if (!expected.empty()) {
    file.from = fetcher.download(file.locked.url, expected, {}, advance);
    file.locked.digest = expected;
    file.locked.size = fetcher.store().find(expected).value_or(0);
    if (locked != nullptr && locked->size != file.locked.size) {
      throw Error(ExitCode::verification, fmt::format("{}: the lock says {} bytes, found {}",
                                                      locked->url, locked->size, file.locked.size));
    }
    task->done(file.from == "cache"             ? "in the cache"
               : locked != nullptr              ? "the lock's sha256 held"
               : file.locked.sum == "published" ? "published sha256 held"
                                                : "the mirror's sha256 held");
  } else {
    const auto found = fetcher.download_unknown(facts.url, advance);
    file.from = found.from;
    file.locked.digest = found.digest;
    file.locked.size = found.size;
    file.locked.sum = "recorded";
    task->done("sha256 recorded");
    progress.warn(
        fmt::format("{} publishes no sum for {}; what came is recorded in bundle.lock: {}",
                    facts.component, base_name(facts.url), found.digest.str()));
  }
  return file;
}

void drain(Source& source) {
  std::vector<std::byte> buffer(kCopyBufferSize);
  while (source.read(buffer) > 0) {
  }
}

}  // namespace

std::string install_path(const std::vector<DownloadFacts::Member>& rules, const std::string& member,
                         bool executable) {
  const auto slash = member.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : member.substr(0, slash + 1);
  for (const DownloadFacts::Member& rule : rules) {
    if (rule.member == member) return rule.path;
    if (executable && rule.member == folder + "*") return rule.path + "/" + base_name(member);
  }
  return {};
}

ResolvedFile fetch_program(Fetcher& fetcher, const DownloadFacts& facts,
                           const std::string& architecture, const LockedFile* locked,
                           Progress& progress) {
  ResolvedFile file = fetch_release(fetcher, facts, architecture, locked, progress);
  const Platform platform{"linux", architecture, ""};
  const auto record = [&](const std::string& path, const Digest& digest, std::uint64_t size) {
    const auto rule = std::find_if(facts.members.begin(), facts.members.end(),
                                   [&](const auto& each) { return path.starts_with(each.path); });
    file.records.push_back(
        {facts.component, path, rule->mode, platform, digest, size, file.locked.version});
  };
  if (!facts.archive) {
    record(facts.members.front().path, file.locked.digest, file.locked.size);
    return file;
  }
  // Right to its last byte before anything decodes it; a damaged copy leaves the cache here.
  drain(*open_cached(fetcher.store(), file.locked.digest));
  const auto source = open_cached(fetcher.store(), file.locked.digest);
  const auto members = store_members(*source, file.locked.url, fetcher.store());
  std::set<std::string> paths;
  for (const ArchiveMember& member : members) {
    const std::string path = install_path(facts.members, member.name, member.executable);
    if (path.empty()) continue;
    if (!paths.insert(path).second) {
      throw Error(ExitCode::verification,
                  fmt::format("{}: two members go to {}", file.locked.url, path));
    }
    record(path, member.digest, member.size);
  }
  for (const DownloadFacts::Member& rule : facts.members) {
    const bool found = std::any_of(file.records.begin(), file.records.end(), [&](const auto& each) {
      return each.path == rule.path || each.path.starts_with(rule.path + "/");
    });
    if (!found) {
      throw Error(ExitCode::verification,
                  fmt::format("{} holds no {}", file.locked.url, rule.member),
                  "it is not the release file that the catalog expects");
    }
  }
  return file;
}

}  // namespace kbundle
