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
  std::string name;  ///< empty: a descriptor without annotations (a referrer)
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

/// The most that one compressed frame of programs holds when kbundle writes.
inline constexpr std::uint64_t kFrameContent = 16U << 20U;
/// The most that one compressed frame of an image's blob holds: it is served from the frame.
inline constexpr std::uint64_t kImageFrameContent = 1U << 20U;
/// The most that one frame of raw blocks holds: one block, the largest that zstd allows. A blob
/// that is compressed already (a layer) is kept in such frames, so that any part of it is read and
/// verified in little memory: serving it to many takes this much for each.
inline constexpr std::uint64_t kRawFrameContent = 128U << 10U;
/// Bodies that would take more raw frames than this have larger ones, so that the inventory stays
/// within its limit: 128 KiB up to 2 GiB, 1.25 MiB at 20 GiB.
inline constexpr std::uint64_t kMostRawFrames = 16'384;

/// One frame of the plan.
struct PlannedFrame {
  std::uint64_t content_size = 0;  ///< bytes
  bool raw = false;                ///< in raw blocks, not compressed
  bool operator==(const PlannedFrame&) const = default;
};

/// What the plan needs to know of a member.
enum class Packing {
  program,     ///< gathered with its neighbours: programs are alike
  image,       ///< of an image, and not compressed: compressed for itself
  compressed,  ///< compressed already: raw
};
struct MemberSpan {
  std::uint64_t span = 0;  ///< header, content and padding, in bytes
  Packing packing = Packing::program;
};

/// How a body is cut into frames, from its members in order (the end of the archive is a last
/// member of 1024 bytes). A frame starts at a member's boundary. What is of an image, and what is
/// longer than kFrameContent, is cut from its own start and shares no frame. Other members are
/// gathered in order, while the sum is at most kFrameContent.
std::vector<PlannedFrame> plan_frames(std::span<const MemberSpan> members);
/// `packing[i]` is that of the body's i-th blob.
std::vector<PlannedFrame> plan_frames(const Body& body, const std::vector<Packing>& packing);

/// Whether content that begins so is gzip (RFC 1952) or zstd (RFC 8878): compressing it again gains
/// nothing.
bool is_compressed(std::string_view first_bytes);

}  // namespace kbundle
