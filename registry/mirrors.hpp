// Where bytes come from instead of upstream. A mirror never changes what they must be: names and
// digests stay upstream's.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "registry/reference.hpp"

namespace kbundle {

/// One rule, "FROM=TO". FROM is a host with an optional path prefix ("k8s.gcr.io",
/// "k8s.gcr.io/coredns"); TO is
///   HOST[/PREFIX]        the rest of the path is kept behind the prefix
///   HOST/NAMESPACE/*     flat: only the last path component is kept (Aliyun's google_containers)
///   HOST/{ref}           the whole upstream reference is appended (DaoCloud's m.daocloud.io form)
/// For files the same rules hold for URLs: FROM is a host ("dl.k8s.io"), TO a host or a URL prefix.
struct MirrorRule {
  std::string from;
  std::string to;
  static MirrorRule parse(std::string_view text);  ///< Error{usage}

  enum class Form { kept, flat, whole_reference, files };
  Form form() const;          ///< files: TO is a URL, so the rule is for those only
  std::string place() const;  ///< TO without what says flat or whole reference
  std::string str() const { return from + "=" + to; }
};

class Mirrors {
 public:
  Mirrors() = default;
  explicit Mirrors(std::vector<MirrorRule> rules) : rules_(std::move(rules)) {}
  /// YAML: `mirrors: [{from: k8s.gcr.io, to: …}, …]`, in order.
  static Mirrors read(const std::filesystem::path& file);
  void append(const Mirrors& later);

  /// The places to try for a reference, in order: each matching rule's result, then upstream
  /// itself, then `fall_over` of upstream's host (k8s.gcr.io falls over to registry.k8s.io and the
  /// other way round).
  std::vector<Reference> places(const Reference& upstream) const;
  /// The same for a file's URL.
  std::vector<std::string> places(const std::string& url) const;
  bool empty() const { return rules_.empty(); }
  const std::vector<MirrorRule>& rules() const { return rules_; }  ///< in order

  /// Whether `place` is one of upstream's own names for this reference (k8s.gcr.io and
  /// registry.k8s.io are one registry), so that what it answers is upstream's word.
  static bool is_upstream(const Reference& place, const Reference& upstream);

 private:
  std::vector<MirrorRule> rules_;
};

}  // namespace kbundle
