// What refers to an image, listed where the registry does not list it by itself.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-manifests-with-subject
#pragma once

#include <vector>

#include "distribution/image_tree.hpp"
#include "registry/client.hpp"
#include "registry/push_client.hpp"

namespace kbundle {

/// For each subject whose list at the target (the referrers API, or the tag that stands in for it)
/// lacks a link: writes the list under that tag, with what was in it.
void list_referrers(const std::vector<ImageTree::Link>& links, const Reference& target,
                    RegistryClient& reader, PushClient& writer);

}  // namespace kbundle
