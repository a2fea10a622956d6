// URLs as the client needs them: where they point to, where a redirect leads, and how they are
// shown (never with a query or user information: both carry secrets).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kbundle {

/// An absolute http or https URL.
class Url {
 public:
  /// Error{usage} for anything else.
  static Url parse(std::string_view text);

  const std::string& str() const { return text_; }
  const std::string& scheme() const { return scheme_; }  ///< "https"
  /// "registry.k8s.io", "localhost:5000"; the port only when it is not the scheme's own.
  const std::string& host() const { return host_; }
  bool is_https() const { return scheme_ == "https"; }
  bool same_origin(const Url& other) const {
    return scheme_ == other.scheme_ && host_ == other.host_;
  }
  /// The same with plain HTTP.
  Url as_http() const;
  /// Where a Location header leads. User information in it is dropped. nullopt when it is no http
  /// or https URL.
  std::optional<Url> resolve(std::string_view location) const;
  /// For messages: without user information, query and fragment.
  std::string shown() const;

 private:
  std::string text_, scheme_, host_, path_;
};

/// Percent-encoded for a query or form.
std::string url_escape(std::string_view text);

}  // namespace kbundle
