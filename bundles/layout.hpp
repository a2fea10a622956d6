// Where things lie in the body: the tar stream after kbundle.dsse.json, which is the content of
// frames 1…n. Everything here is a pure function of the inventory, so the reader knows every byte
// that is not a blob's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bundles/inventory.hpp"

namespace kbundle {

/// The content of kbundle's `oci-layout` member.
/// https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md#oci-layout-file
extern const char* const kOciLayout;

/// "blobs/sha256/<hex>"
std::string blob_member_name(const Digest& digest);

/// The bundle's `index.json`: each image once per name, each file's blob as an unnamed descriptor.
std::string bundle_index_json(const Inventory& inventory);

/// A descriptor of an image index with the annotations containerd names an image by:
/// io.containerd.image.name (the full name) and org.opencontainers.image.ref.name (the tag).
/// As JSON text; the caller puts them into an index with index_json().
struct NamedDescriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::string name;
};
std::string index_json(const std::vector<NamedDescriptor>& images,
                       const std::vector<FileRecord>& files = {});

/// A member of the body's tar stream.
struct BodyMember {
  std::string name;
  std::uint64_t size = 0;              ///< of the content
  std::uint64_t offset = 0;            ///< of its header, in the body
  std::optional<std::string> content;  ///< known here; absent for blobs
  std::uint64_t content_offset() const { return offset + 512; }
  std::uint64_t span() const;  ///< header, content and padding
};

class Body {
 public:
  /// oci-layout, index.json, then inventory.blobs in their order (sizes are taken, offsets not).
  static Body of(const Inventory& inventory);

  const std::vector<BodyMember>& members() const { return members_; }
  std::size_t first_blob() const { return 2; }  ///< members()[first_blob() + i] is blobs[i]
  /// With the two zero blocks that end a tar archive.
  std::uint64_t size() const;

 private:
  std::vector<BodyMember> members_;
};

/// The most that one compressed frame holds when kbundle writes.
inline constexpr std::uint64_t kFrameContent = 16U << 20U;
/// The most that one frame of raw blocks holds: one block, the largest that zstd allows. A blob
/// that is compressed already (a layer) is kept in such frames, so that any part of it is read and
/// verified in little memory: serving it to many takes this much for each.
inline constexpr std::uint64_t kRawFrameContent = 128U << 10U;
/// Members up to this size (manifests, configs) have a frame of their own, for the same reason.
inline constexpr std::uint64_t kSmallMember = 64U << 10U;

/// One frame of the plan.
struct PlannedFrame {
  std::uint64_t content_size = 0;  ///< bytes
  bool raw = false;                ///< in raw blocks, not compressed
  bool operator==(const PlannedFrame&) const = default;
};

/// What the plan needs to know of a member.
struct MemberSpan {
  std::uint64_t span = 0;   ///< header, content and padding, in bytes
  bool compressed = false;  ///< its content is: is_compressed()
};

/// How a body is cut into frames, from its members in order (the end of the archive is a last
/// member of 1024 bytes). A frame starts at a member's boundary. A compressed member is cut from
/// its own start into raw frames of kRawFrameContent, and shares none of them; a small one has one
/// frame for itself; a member longer than kFrameContent is cut from its own start, too. Others are
/// gathered in order, while the sum is at most kFrameContent.
std::vector<PlannedFrame> plan_frames(std::span<const MemberSpan> members);
/// `compressed[i]` says it of the body's i-th blob.
std::vector<PlannedFrame> plan_frames(const Body& body, const std::vector<bool>& compressed);

/// Whether content that begins so is gzip (RFC 1952) or zstd (RFC 8878): compressing it again gains
/// nothing.
bool is_compressed(std::string_view first_bytes);

}  // namespace kbundle
