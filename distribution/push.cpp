#include "distribution/push.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "core/user_folders.hpp"
#include "distribution/referrer_list.hpp"

namespace kbundle {
namespace {

std::filesystem::path state_folder(const PushOptions& options) {
  if (options.upload.dry_run) return {};
  const auto folder =
      options.state_folder.empty() ? user_cache_folder() / "uploads" : options.state_folder;
  make_folders(folder, 0700);
  return folder;
}

// Registries may want every platform of a list: the error says which ones there are not.
void explain_refused_list(const PushPlan& plan, Error& error) {
  for (const PushPlan::Image& image : plan.images) {
    const bool meant = std::any_of(
        error.context().begin(), error.context().end(),
        [&](const std::string& step) { return step.ends_with(" " + image.upload.target.str()); });
    if (!meant || image.missing.empty()) continue;
    error.add_context(fmt::format("push the list {} without {}, which the bundle has not got",
                                  printable(image.upstream), printable(join(image.missing, ", "))));
    error.set_hint(fmt::format(
        "push one platform's manifest instead (--arch {}), or build a bundle that has them all",
        image.platforms.empty() ? "amd64" : Platform::parse(image.platforms.front()).architecture));
    return;
  }
}

std::string shown_name(const PushReport::Row& row, const RegistryPrefix& registry) {
  const std::string name = row.target.str();
  return printable(name.substr(registry.str().size() + 1));
}

}  // namespace

PushReport push(const Bundle& bundle, const RegistryPrefix& registry, const PushOptions& options,
                Progress& progress) {
  const PushPlan plan = plan_push(bundle, registry, options.selection);
  const auto folder = state_folder(options);
  // The bundle is not verified whole first: each frame is compared with its signed digest before a
  // byte of it leaves, and what names the blobs goes last.
  std::vector<UploadImage> images;
  for (const PushPlan::Image& image : plan.images) images.push_back(image.upload);
  PushClient client(options.transport, folder);
  std::vector<UploadOutcome> outcomes;
  try {
    outcomes = upload(
        client, images,
        [&](const Descriptor& blob, std::uint64_t offset) {
          return bundle.open_blob_range(blob.digest, offset, blob.size - offset);
        },
        options.upload, progress);
  } catch (Error& error) {
    explain_refused_list(plan, error);
    throw;
  }

  RegistryClient reader(options.transport);
  for (const PushPlan::Image& image : plan.images) {
    if (!options.upload.dry_run)
      list_referrers(image.referrers, image.upload.target, reader, client);
  }
  PushReport report;
  report.registry = registry;
  report.left_out = plan.left_out;
  report.dry_run = options.upload.dry_run;
  for (std::size_t i = 0; i < plan.images.size(); ++i) {
    const PushPlan::Image& image = plan.images[i];
    report.rows.push_back({image.upstream, image.upload.target, image.upload.root, image.list,
                           image.platforms, outcomes[i].how, image.size, outcomes[i].sent});
  }
  const auto& plain = options.transport.plain_http;
  report.settings = site_settings(
      registry, plan.upstreams, std::find(plain.begin(), plain.end(), registry.host) != plain.end(),
      options.transport.ca_file);
  return report;
}

std::string PushReport::text() const {
  const bool lists =
      std::any_of(rows.begin(), rows.end(), [](const Row& row) { return !row.list.empty(); });
  std::vector<std::string> header{"IMAGE", "DIGEST"};
  if (lists) header.emplace_back("OF THE LIST");
  header.insert(header.end(), {"WHAT", "SIZE"});
  Table table(header);
  std::uint64_t sent = 0;
  for (const Row& row : rows) {
    std::vector<std::string> cells{shown_name(row, registry), row.digest.short_hex()};
    if (lists) cells.push_back(row.list.empty() ? "-" : row.list.short_hex());
    cells.push_back(dry_run && row.how != Uploaded::was_there ? "would push" : to_string(row.how));
    cells.push_back(human_size(row.size));
    table.add(std::move(cells));
    sent += row.sent;
  }
  std::string text = fmt::format("{}\n\n{}{} {}\n", registry.str(), table.str(), human_size(sent),
                                 dry_run ? "of blobs would be sent" : "of blobs sent");
  for (const std::string& image : left_out)
    text += fmt::format("left out, another platform: {}\n", printable(image));
  return text + "\n" + settings.text();
}

Json PushReport::json() const {
  Json images = Json::array();
  for (const Row& row : rows) {
    images.push_back({{"upstream", row.upstream},
                      {"name", row.target.str()},
                      {"digest", row.digest.str()},
                      {"list", row.list.str()},
                      {"platforms", row.platforms},
                      {"what", to_string(row.how)},
                      {"size", row.size},
                      {"sent", row.sent}});
  }
  return {{"registry", registry.str()},
          {"dryRun", dry_run},
          {"images", std::move(images)},
          {"leftOut", left_out},
          {"settings", settings.json()}};
}

}  // namespace kbundle
