#include "manifests/lock.hpp"

#include <set>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

[[noreturn]] void refuse(std::string_view what, const std::string& why) {
  throw Error(ExitCode::verification, std::string(what) + ": " + why,
              "take the bundle.lock as a build wrote it");
}

// Text that goes to terminals, file names and requests: one line, no control characters.
std::string plain(const Json& object, const char* key, std::string_view what) {
  std::string text = json_string(object, key, what);
  if (text.size() > 2048 || text != printable(text)) {
    refuse(what, std::string("\"") + key + "\" is too long or has control characters");
  }
  return text;
}

std::vector<std::string> strings(const Json& object, const char* key, std::string_view what) {
  std::vector<std::string> values;
  for (const Json& value : json_array(object, key, what)) {
    if (!value.is_string() || value.get<std::string>() != printable(value.get<std::string>())) {
      refuse(what, std::string("\"") + key + "\" holds something that is not a word");
    }
    values.push_back(value.get<std::string>());
  }
  return values;
}

void check_keys(const Json& object, std::string_view what, const std::set<std::string>& known) {
  if (!object.is_object()) refuse(what, "wanted a JSON object");
  for (const auto& entry : object.items()) {
    if (!known.contains(entry.key())) {
      refuse(what, "unknown key \"" + printable(entry.key().substr(0, 80)) + "\"");
    }
  }
}

LockedImage image_of(const Json& value, std::string_view what) {
  check_keys(value, what, {"name", "digest", "mediaType", "size", "referrers"});
  LockedImage image{plain(value, "name", what), Digest::parse(json_string(value, "digest", what)),
                    plain(value, "mediaType", what), json_unsigned(value, "size", what)};
  if (!value.contains("referrers")) return image;
  for (const Json& one : json_array(value, "referrers", what)) {
    check_keys(one, what, {"subject", "digest", "mediaType", "size", "tag"});
    image.referrers.push_back({Digest::parse(json_string(one, "subject", what)),
                               Digest::parse(json_string(one, "digest", what)),
                               plain(one, "mediaType", what), json_unsigned(one, "size", what),
                               plain(one, "tag", what)});
  }
  return image;
}

LockedFile file_of(const Json& value, std::string_view what) {
  check_keys(value, what, {"component", "version", "architecture", "url", "digest", "size", "sum"});
  LockedFile file{plain(value, "component", what),
                  plain(value, "version", what),
                  plain(value, "architecture", what),
                  plain(value, "url", what),
                  Digest::parse(json_string(value, "digest", what)),
                  json_unsigned(value, "size", what),
                  plain(value, "sum", what)};
  if (file.sum != "published" && file.sum != "recorded") {
    refuse(what, "\"sum\" is \"" + file.sum + "\"; wanted published or recorded");
  }
  return file;
}

}  // namespace

std::string Lock::serialize() const {
  Json root = Json::object();
  root["format"] = format;
  root["kbundle"] = kbundle_version;
  root["kubernetes"] = kubernetes_version;
  root["line"] = line;
  root["serial"] = serial;
  root["created"] = created;
  root["architectures"] = architectures;
  root["cni"] = cni;
  root["without"] = without;
  if (!with.empty()) root["with"] = with;
  root["images"] = Json::array();
  for (const LockedImage& image : images) {
    Json entry = {{"name", image.name},
                  {"digest", image.digest.str()},
                  {"mediaType", image.media_type},
                  {"size", image.size}};
    for (const LockedReferrer& referrer : image.referrers) {
      entry["referrers"].push_back({{"subject", referrer.subject.str()},
                                    {"digest", referrer.digest.str()},
                                    {"mediaType", referrer.media_type},
                                    {"size", referrer.size},
                                    {"tag", referrer.tag}});
    }
    root["images"].push_back(std::move(entry));
  }
  root["files"] = Json::array();
  for (const LockedFile& file : files) {
    root["files"].push_back({{"component", file.component},
                             {"version", file.version},
                             {"architecture", file.architecture},
                             {"url", file.url},
                             {"digest", file.digest.str()},
                             {"size", file.size},
                             {"sum", file.sum}});
  }
  return root.dump(2) + "\n";
}

Lock Lock::parse(std::string_view text, std::string_view what) {
  const Json root = parse_json(text, what, {.size = 4U << 20U, .depth = 6, .values = 100'000});
  if (!root.is_object() || json_unsigned(root, "format", what) != 1) {
    refuse(what, "its format is not 1, the only one this kbundle reads");
  }
  check_keys(root, what,
             {"format", "kbundle", "kubernetes", "line", "serial", "created", "architectures",
              "cni", "without", "with", "images", "files"});
  Lock lock;
  lock.kbundle_version = plain(root, "kbundle", what);
  lock.kubernetes_version = plain(root, "kubernetes", what);
  lock.line = plain(root, "line", what);
  lock.serial = json_unsigned(root, "serial", what);
  if (lock.serial == 0) refuse(what, "\"serial\" must be 1 or more");
  lock.created = plain(root, "created", what);
  parse_rfc3339(lock.created, what);
  lock.architectures = strings(root, "architectures", what);
  if (lock.architectures.empty()) refuse(what, "\"architectures\" is empty");
  lock.cni = plain(root, "cni", what);
  lock.without = strings(root, "without", what);
  if (root.contains("with")) lock.with = strings(root, "with", what);
  std::set<std::string> seen;
  for (const Json& value : json_array(root, "images", what)) {
    lock.images.push_back(image_of(value, what));
    if (!seen.insert(lock.images.back().name).second) {
      refuse(what, "the image " + lock.images.back().name + " stands twice");
    }
  }
  seen.clear();
  for (const Json& value : json_array(root, "files", what)) {
    lock.files.push_back(file_of(value, what));
    const LockedFile& file = lock.files.back();
    if (!seen.insert(file.component + " " + file.architecture).second) {
      refuse(what, file.component + " for " + file.architecture + " stands twice");
    }
  }
  return lock;
}

}  // namespace kbundle
