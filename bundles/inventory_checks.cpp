#include "bundles/inventory_checks.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "bundles/frames.hpp"
#include "bundles/layout.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "registry/reference.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kMaxText = 4096;
// The bound on any size or count, so that every JSON reader keeps it exact.
constexpr std::uint64_t kMaxNumber = 1ULL << 53U;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ExitCode::verification, "the bundle's inventory: " + why,
              "the bundle was built wrongly; build it again");
}

std::string quoted(std::string_view text) {
  return "\"" + printable(text.substr(0, 200)) + "\"";
}

void check_text(const std::string& text, const char* name, bool may_be_empty = false) {
  if (text.empty() && !may_be_empty) refuse(std::string(name) + " is empty");
  if (text.size() > kMaxText) refuse(std::string(name) + " is longer than 4096 bytes");
  if (printable(text) != text) {
    refuse(std::string(name) + " holds control characters: " + quoted(text));
  }
}

void check_number(std::uint64_t number, const char* name) {
  if (number > kMaxNumber) refuse(std::string(name) + " is implausible: " + std::to_string(number));
}

// Letters, digits and a few marks, as in file names that need no quoting.
bool is_word(std::string_view text, bool may_be_empty = false) {
  return (may_be_empty || !text.empty()) && text.size() <= 255 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-' || c == '+';
         });
}

void check_platform(const Platform& platform, bool any_allowed = false) {
  if (!is_word(platform.os) || !is_word(platform.architecture, any_allowed) ||
      !is_word(platform.variant, true)) {
    refuse("not a platform: " +
           quoted(platform.os + "/" + platform.architecture + "/" + platform.variant));
  }
}

void check_path(const std::string& path) {
  check_text(path, "a file's path");
  if (path.front() != '/' || path.size() == 1) refuse("a path is not absolute: " + quoted(path));
  for (const auto& part : split(std::string_view(path).substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") {
      refuse("a path is not in its plain form: " + quoted(path));
    }
  }
}

void check_time(const std::string& text) {
  // Centuries ahead, a time does not fit into the system clock's nanoseconds.
  const bool plausible = text.starts_with("20") || text.starts_with("21");
  if (!plausible || rfc3339(parse_rfc3339(text, "created")) != text) {
    refuse("created is not a plain UTC time: " + quoted(text));
  }
}

void check_name(const std::string& name) {
  check_text(name, "an image's name");
  try {
    if (Reference::parse(name).str() == name) return;
  } catch (const Error&) {
    // Refused below: here a bad name is the bundle's fault, not the command line's.
  }
  refuse("an image's name is not a full reference: " + quoted(name));
}

using BlobSizes = std::map<std::string_view, std::uint64_t>;

void check_blob(const BlobSizes& blobs, const Digest& digest, const std::uint64_t* size,
                const std::string& owner) {
  const auto blob = blobs.find(digest.str());
  if (blob == blobs.end())
    refuse(owner + " needs " + digest.str() + ", which is not in the bundle");
  if (size != nullptr && blob->second != *size) {
    refuse(owner + " gives " + digest.str() + " " + std::to_string(*size) +
           " bytes, the blob has " + std::to_string(blob->second));
  }
}

BlobSizes check_blobs(const std::vector<BlobRecord>& records) {
  BlobSizes sizes;
  const Digest* previous = nullptr;
  for (const auto& blob : records) {
    if (blob.digest.empty() || blob.digest.algorithm() != "sha256") {
      refuse("a blob's digest is not a sha256: " + quoted(blob.digest.str()));
    }
    if (blob.stored != "identity") {
      refuse("the blob " + blob.digest.str() + " is stored as " + quoted(blob.stored) +
             ", which this kbundle does not know");
    }
    if (blob.size >= kMaxMemberSize) refuse("the blob " + blob.digest.str() + " is 8 GiB or more");
    if (previous != nullptr && !(*previous < blob.digest)) {
      refuse("the blobs are not sorted by digest, each once, at " + blob.digest.str());
    }
    previous = &blob.digest;
    sizes.emplace(blob.digest.str(), blob.size);
  }
  return sizes;
}

void check_referrers(const ImageRecord& image, const BlobSizes& blobs, const std::string& owner) {
  std::set<Digest> subjects{image.digest};
  for (const auto& one : image.platforms) subjects.insert(one.manifest);
  for (const auto& referrer : image.referrers) {
    check_blob(blobs, referrer.digest, &referrer.size, owner);
    if (!media_type::is_manifest(referrer.media_type)) {
      refuse(owner + " has a referrer of an unknown type: " + quoted(referrer.media_type));
    }
    // In this order: a referrer of a referrer stands after it.
    if (!subjects.contains(referrer.subject)) {
      refuse(owner + " has a referrer of something else: " + referrer.subject.str());
    }
    subjects.insert(referrer.digest);
    if (!referrer.tag.empty() && !is_word(referrer.tag)) {
      refuse(owner + " has a referrer with a tag that is none: " + quoted(referrer.tag));
    }
  }
}

void check_image(const ImageRecord& image, const BlobSizes& blobs) {
  if (image.names.empty()) refuse("the image " + image.digest.str() + " has no name");
  const std::string owner = "the image " + quoted(image.names.front());
  for (const auto& name : image.names) check_name(name);
  check_blob(blobs, image.digest, &image.size, owner);
  const bool index = media_type::is_index(image.media_type);
  if (!index && !media_type::is_manifest(image.media_type)) {
    refuse(owner + " is of an unknown type: " + quoted(image.media_type));
  }
  if (image.platforms.empty()) refuse(owner + " has no platform");
  for (const auto& one : image.platforms) {
    check_platform(one.platform);
    check_blob(blobs, one.manifest, nullptr, owner);
    check_blob(blobs, one.config, nullptr, owner);
    if ((one.manifest == image.digest) == index) {
      refuse(owner + ": its digest and its manifest do not fit its type");
    }
  }
  check_referrers(image, blobs, owner);
  if (!index && image.platforms.size() != 1) refuse(owner + " is one manifest for many platforms");
}

}  // namespace

void check_records(const Inventory& inventory) {
  if (!is_word(inventory.line)) refuse("line is not a word: " + quoted(inventory.line));
  check_number(inventory.serial, "serial");
  check_time(inventory.created);
  check_text(inventory.kubernetes_version, "kubernetes_version");
  check_text(inventory.cni, "cni", true);
  check_text(inventory.kbundle_version, "kbundle_version", true);
  check_text(inventory.libzstd_version, "libzstd_version", true);
  for (const auto& platform : inventory.platforms) check_platform(platform);
  check_number(inventory.budgets.disk_runtime, "a budget");
  check_number(inventory.budgets.disk_programs, "a budget");
  check_number(inventory.budgets.disk_state, "a budget");
  check_number(inventory.budgets.memory, "a budget");

  const auto blobs = check_blobs(inventory.blobs);
  std::set<std::string> names;
  for (const auto& image : inventory.images) {
    check_image(image, blobs);
    for (const auto& name : image.names) {
      if (!names.insert(name).second) refuse("two images have the name " + quoted(name));
    }
  }
  std::set<std::string> paths;
  for (const auto& file : inventory.files) {
    check_text(file.component, "a file's component");
    check_text(file.version, "a file's version", true);
    check_path(file.path);
    check_platform(file.platform, true);
    if (file.mode > 0777) refuse("the file " + quoted(file.path) + " has a special mode bit");
    check_blob(blobs, file.digest, &file.size, "the file " + quoted(file.path));
    if (!paths.insert(file.platform.str() + " " + file.path).second) {
      refuse("the file " + quoted(file.path) + " is listed twice");
    }
  }
}

void check_layout(const Inventory& inventory) {
  const auto body = Body::of(inventory);
  for (std::size_t i = 0; i < inventory.blobs.size(); ++i) {
    const auto wanted = body.members()[i + body.first_blob()].content_offset();
    if (inventory.blobs[i].offset != wanted) {
      refuse("the blob " + inventory.blobs[i].digest.str() + " lies at offset " +
             std::to_string(inventory.blobs[i].offset) + ", not at " + std::to_string(wanted));
    }
  }
  std::uint64_t content = 0;
  for (std::size_t i = 0; i < inventory.frames.size(); ++i) {
    const auto& frame = inventory.frames[i];
    const std::string name = "frame " + std::to_string(i + 1);
    if (frame.content_size == 0 || frame.content_size > kMaxFrameContent) {
      refuse(name + " has a content of " + std::to_string(frame.content_size) + " bytes");
    }
    if (frame.stored_size == 0 || frame.stored_size > stored_bound(frame.content_size)) {
      refuse(name + " is stored in " + std::to_string(frame.stored_size) + " bytes");
    }
    if (frame.digest.empty() || frame.digest.algorithm() != "sha256") {
      refuse(name + " has no sha256 digest");
    }
    content += frame.content_size;
  }
  if (content != body.size()) {
    refuse("the frames hold " + std::to_string(content) + " bytes, the members take " +
           std::to_string(body.size()));
  }
  if (inventory.head_size == 0 || inventory.head_size % kHeadUnit != 0 ||
      inventory.head_size > kMaxHeadSize) {
    refuse("head_size is " + std::to_string(inventory.head_size));
  }
}

}  // namespace kbundle
