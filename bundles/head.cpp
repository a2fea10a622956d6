#include "bundles/head.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "bundles/frames.hpp"
#include "bundles/inventory_checks.hpp"
#include "bundles/ustar.hpp"
#include "core/error.hpp"

namespace kbundle {
namespace {

// In the bound on the envelope: four signatures, and the braces around them.
constexpr std::uint64_t kSignatureRoom = 1024;

constexpr std::uint64_t kMaxFrame0Content = ustar_span(kMaxEnvelopeSize);

[[noreturn]] void ends_early(std::uint64_t size) {
  throw Error(ExitCode::verification,
              "the file ends inside its header, after " + std::to_string(size) + " bytes",
              "copy it again");
}

[[noreturn]] void refuse_at(std::uint64_t offset, const std::string& where) {
  throw Error(ExitCode::verification,
              "the file is damaged at byte " + std::to_string(offset) + ", in " + where,
              "copy it again");
}

std::string envelope_member(std::string_view envelope) {
  const auto header = ustar_header(kEnvelopeMember, envelope.size());
  std::string member;
  member.reserve(ustar_span(envelope.size()));
  member.append(header.data(), header.size());
  member += envelope;
  member.append(ustar_padding(envelope.size()), '\0');
  return member;
}

// The size field of a header whose bytes are compared afterwards.
std::uint64_t size_field(std::string_view member) {
  std::uint64_t size = 0;
  for (const char c : member.substr(124, 11)) {
    if (c < '0' || c > '7') return UINT64_MAX;
    size = size * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return size;
}

}  // namespace

std::uint64_t plan_head_size(const Inventory& inventory) {
  // Every number that is not known yet stands at its largest.
  Inventory largest = inventory;
  largest.head_size = kMaxHeadSize;
  for (auto& frame : largest.frames) {
    frame.stored_size = stored_bound(frame.content_size);
    frame.digest = sha256("");
  }
  const std::uint64_t payload = largest.serialize().size();
  const std::uint64_t bound = (payload + 2) / 3 * 4 + kSignatureRoom;
  if (bound > kMaxEnvelopeSize) {
    throw Error(ExitCode::usage,
                "the bundle would list too much: an envelope of " + std::to_string(bound) +
                    " bytes, at most " + std::to_string(kMaxEnvelopeSize) + " are allowed",
                "split it into several bundles");
  }
  const auto wanted = 2 * raw_frame_size(ustar_span(bound));
  return (wanted + kHeadUnit - 1) / kHeadUnit * kHeadUnit;
}

Head describe_head(std::string_view envelope) {
  const auto content = ustar_span(envelope.size());
  return {std::string(envelope), raw_frame_size(content), content};
}

std::string build_head(std::string_view envelope, std::uint64_t head_size) {
  std::string head = raw_frame(envelope_member(envelope));
  if (head.size() + kSkippableHeaderSize > head_size) {
    throw Error(ExitCode::internal, "the envelope outgrew the room that was left for it");
  }
  head.reserve(head_size);
  head += skippable_header(kPaddingMagic, head_size - head.size() - kSkippableHeaderSize);
  head.resize(head_size, '\0');
  return head;
}

Head read_head(const RandomSource& file) {
  std::array<std::byte, kRawFrameHeaderSize> start{};
  const auto count = file.read_at(0, start);
  if (count < start.size()) ends_early(file.size());
  const auto content_size = raw_frame_content_size(start);
  if (content_size < kUstarBlock || content_size > kMaxFrame0Content ||
      content_size % kUstarBlock != 0) {
    refuse_at(5, "the size of its header");
  }
  const auto stored_size = raw_frame_size(content_size);
  if (file.size() < stored_size) ends_early(file.size());
  std::string stored(stored_size, '\0');
  read_exactly_at(file, 0, std::as_writable_bytes(std::span(stored)), "the bundle's header");

  const std::string member = raw_frame_content(stored, content_size);
  const auto envelope_size = size_field(member);
  if (envelope_size > kMaxEnvelopeSize || ustar_span(envelope_size) != content_size) {
    refuse_at(kRawFrameHeaderSize, "the tar header of kbundle.dsse.json");
  }
  Head head{member.substr(kUstarBlock, envelope_size), stored_size, content_size};
  const std::string rebuilt = raw_frame(envelope_member(head.envelope));
  const auto differ = std::mismatch(rebuilt.begin(), rebuilt.end(), stored.begin(), stored.end());
  if (differ.first != rebuilt.end() || differ.second != stored.end()) {
    refuse_at(static_cast<std::uint64_t>(differ.first - rebuilt.begin()), "its header (frame 0)");
  }
  return head;
}

void check_padding(const RandomSource& file, const Head& head, std::uint64_t head_size) {
  if (head.frame0_stored + kSkippableHeaderSize > head_size) {
    throw Error(ExitCode::verification, "the bundle's header does not fit into its head_size");
  }
  const auto start =
      skippable_header(kPaddingMagic, head_size - head.frame0_stored - kSkippableHeaderSize);
  std::array<std::byte, 16 * 1024> found{};
  std::array<std::byte, 16 * 1024> wanted{};  // zeros, behind the frame's own header
  std::memcpy(wanted.data(), start.data(), start.size());
  for (auto offset = head.frame0_stored; offset < head_size;) {
    const auto size = std::min<std::uint64_t>(found.size(), head_size - offset);
    read_exactly_at(file, offset, std::span(found).first(size), "the bundle's padding");
    if (std::memcmp(found.data(), wanted.data(), size) != 0) {
      const auto differ = std::mismatch(found.begin(), found.end(), wanted.begin());
      refuse_at(offset + static_cast<std::uint64_t>(differ.first - found.begin()),
                "the padding of its header");
    }
    std::memset(wanted.data(), 0, start.size());
    offset += size;
  }
}

}  // namespace kbundle
