// An image as registries hold it: a root document (a manifest or an index), the documents below it,
// their blobs, and on request what refers to them. Artifacts have the same shape.
#pragma once

#include <string>
#include <vector>

#include "registry/fetcher.hpp"
#include "registry/reference.hpp"
#include "registry/types.hpp"

namespace kbundle {

/// Which part of an index is wanted.
struct Selection {
  std::vector<Platform> platforms;  ///< those that were asked for; empty: this host's
  bool all = false;                 ///< every entry, attestations too
  bool referrers = false;           ///< signatures, SBOMs and the like
};

struct ImageTree {
  /// A manifest or index, byte for byte.
  struct Document {
    Descriptor descriptor;
    std::string bytes;
    std::string tag;  ///< under which cosign looks for it; or empty
  };
  Reference name;         ///< as asked for
  bool mirrored = false;  ///< what the name means is a mirror's word alone
  std::string from;       ///< the place that answered
  /// Each digest once, what is named before what names it. The root comes last but for referrers.
  std::vector<Document> documents;
  Digest root;
  /// Of documents that refer to another one: the referrer and its subject.
  struct Link {
    Descriptor referrer;
    Digest subject;
  };
  std::vector<Link> referrers;
  std::vector<BlobToFetch> blobs;  ///< each digest once; foreign layers are not among them
  bool sparse = false;             ///< not every document that an index names is here

  const Document& document(const Digest& digest) const;
};

/// Fetches the documents (manifests and indexes, into the fetcher's store too), not the blobs.
/// Limits: 1,000 documents, indexes in indexes four deep. Error{verification} when an index has
/// none of the wanted platforms.
ImageTree fetch_tree(Fetcher& fetcher, const Reference& name, const Selection& selection);

/// Says of which names only mirrors told what they mean.
void warn_of_uncompared(const std::vector<ImageTree>& trees, Progress& progress);

}  // namespace kbundle
