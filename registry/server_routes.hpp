// What a request to the registry asks for: method and target in, a value out. No I/O.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#endpoints
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/digest.hpp"

namespace kbundle {

/// An answer with an error document, {"errors":[{"code","message","detail"}]}.
/// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes
struct RegistryFailure {
  unsigned status = 404;
  std::string code;  ///< "MANIFEST_UNKNOWN"
  std::string message;
  std::string detail{};  ///< what was asked for; or empty
};

struct RegistryRoute {
  enum class Kind { base, manifest, blob, tags, referrers, catalog };
  Kind kind = Kind::base;
  std::string repository{};
  std::string reference{};  ///< of a manifest: a tag, or a valid digest
  Digest digest{};          ///< of a blob or a subject; of a manifest if it was asked for by one

  // From the query; what is not known there is ignored.
  std::optional<std::size_t> limit{};  ///< n=
  std::string last{};                  ///< last=
  std::string artifact_type{};         ///< artifactType=
  std::string upstream{};  ///< ns=: the registry that a mirror's client really wants (containerd)
};

/// Longest target that is looked at, in bytes.
inline constexpr std::size_t kMaxTarget = 4096;

/// `method` and `target` as they stand in the request line. Everything that would write is
/// RegistryFailure 405 UNSUPPORTED; a name or digest that is none is 400.
std::variant<RegistryRoute, RegistryFailure> parse_route(std::string_view method,
                                                         std::string_view target);

/// A repository name of the specification's grammar, at most 255 bytes.
bool is_repository_name(std::string_view name);
bool is_tag(std::string_view text);

/// Bytes `offset` … `offset + size - 1` of something.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// What a Range header asks for of `total` bytes: one range, cut to what there is.
/// RangeOutcome::whole: no header, another unit, several ranges or bad syntax, all of which
/// RFC 9110 (section 14.2) lets a server answer with the whole.
struct RangeRequest {
  enum class Outcome { whole, part, unsatisfiable };
  Outcome outcome = Outcome::whole;
  ByteRange range{};
};
RangeRequest parse_range(std::string_view header, std::uint64_t total);

/// "a%2Fb" as "a/b"; nullopt for a % without two hex digits and for control characters.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
/// For a value in a query.
std::string percent_encode(std::string_view text);

}  // namespace kbundle
