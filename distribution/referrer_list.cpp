#include "distribution/referrer_list.hpp"

#include <set>

#include "core/json.hpp"

namespace kbundle {

void list_referrers(const std::vector<ImageTree::Link>& links, const Reference& target,
                    RegistryClient& reader, PushClient& writer) {
  std::set<Digest> subjects;
  for (const ImageTree::Link& link : links) subjects.insert(link.subject);
  for (const Digest& subject : subjects) {
    Json entries = Json::array();
    std::set<Digest> listed;
    const auto add = [&](const Descriptor& descriptor) {
      if (!listed.insert(descriptor.digest).second) return false;
      Json entry = {{"mediaType", descriptor.media_type},
                    {"digest", descriptor.digest.str()},
                    {"size", descriptor.size}};
      if (!descriptor.artifact_type.empty()) entry["artifactType"] = descriptor.artifact_type;
      if (!descriptor.annotations.empty()) entry["annotations"] = descriptor.annotations;
      entries.push_back(std::move(entry));
      return true;
    };
    for (const Referrer& known : reader.referrers(target.with_digest(subject))) {
      if (known.tag.empty()) add(known.descriptor);
    }
    bool missing = false;
    for (const ImageTree::Link& link : links) {
      if (link.subject == subject) missing = add(link.referrer) || missing;
    }
    if (!missing) continue;
    writer.manifest(target.with_digest({}).with_tag(subject.algorithm() + "-" + subject.hex()),
                    canonical_json({{"schemaVersion", 2},
                                    {"mediaType", media_type::oci_index},
                                    {"manifests", std::move(entries)}}),
                    media_type::oci_index);
  }
}

}  // namespace kbundle
