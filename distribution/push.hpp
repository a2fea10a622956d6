// From a bundle into a registry: nothing is unpacked to disk, what is there is not sent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bundles/reader.hpp"
#include "core/json.hpp"
#include "core/progress.hpp"
#include "distribution/image_upload.hpp"
#include "distribution/names.hpp"
#include "distribution/push_plan.hpp"
#include "distribution/site_settings.hpp"
#include "registry/client.hpp"

namespace kbundle {

struct PushOptions {
  Selection selection;  ///< see plan_push; without platforms: nothing is chosen
  TransportOptions transport;
  UploadSettings upload;
  std::filesystem::path state_folder;  ///< of uploads under way; empty: the user's cache folder
};

struct PushReport {
  struct Row {
    std::string upstream;
    Reference target;
    Digest digest;                       ///< what stands under the name now
    Digest list;                         ///< upstream's list, when one platform of it was pushed
    std::vector<std::string> platforms;  ///< "linux/amd64"
    Uploaded how = Uploaded::was_there;
    std::uint64_t size = 0;  ///< documents and blobs, in bytes
    std::uint64_t sent = 0;
  };
  RegistryPrefix registry;
  std::vector<Row> rows;
  std::vector<std::string> left_out;
  SiteSettings settings;
  bool dry_run = false;

  /// The table of images, then the settings.
  std::string text() const;
  Json json() const;
};

/// Each frame is compared with its signed digest before a byte of it goes out, and names go last.
/// With `upload.dry_run` the registry is only asked what it has (HEAD). Running it again continues:
/// uploads go on where the registry says they stand.
PushReport push(const Bundle& bundle, const RegistryPrefix& registry, const PushOptions& options,
                Progress& progress);

}  // namespace kbundle
