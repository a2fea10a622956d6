// Image references, "registry.k8s.io/coredns/coredns:v1.12.1", in the grammar of the OCI
// distribution specification (names, tags) and Docker's domain rules for the host part.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace kbundle {

/// A valid, fully qualified reference: host, repository, and a tag or a digest or both.
class Reference {
 public:
  Reference() = default;
  /// "HOST[:PORT]/PATH[:TAG][@DIGEST]". Short Docker names are completed ("busybox" is
  /// docker.io/library/busybox:latest). Error{usage} naming what is wrong with `text`.
  static Reference parse(std::string_view text);

  const std::string& host() const { return host_; }              ///< "k8s.gcr.io"
  const std::string& repository() const { return repository_; }  ///< "kube-apiserver"
  const std::string& tag() const { return tag_; }                ///< empty with a bare digest
  const Digest& digest() const { return digest_; }               ///< empty without one
  /// What a manifest is asked for by: the digest if there is one, else the tag.
  std::string target() const;
  /// "HOST/REPOSITORY:TAG@DIGEST" with what there is.
  std::string str() const;
  /// "HOST/REPOSITORY"
  std::string name() const { return host_ + "/" + repository_; }

  Reference with_host(std::string host) const;
  Reference with_repository(std::string repository) const;
  Reference with_tag(std::string tag) const;   ///< empty takes the tag away
  Reference with_digest(Digest digest) const;  ///< empty takes the digest away
  auto operator<=>(const Reference&) const = default;

 private:
  std::string host_, repository_, tag_;
  Digest digest_;
};

/// Where the API of a host in image names answers: Docker Hub's is elsewhere.
std::string api_host(const std::string& host);

}  // namespace kbundle
