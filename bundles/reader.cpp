#include "bundles/reader.hpp"

#include <algorithm>

#include "bundles/envelope.hpp"
#include "bundles/frames.hpp"
#include "bundles/head.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr const char* kCopyAgain = "copy it again";

// Stands in for a signature: the id that a person got from another channel.
void check_id(const Envelope& envelope, const Digest& wanted) {
  const auto found = sha256(envelope.payload);
  if (found != wanted) {
    throw Error(ExitCode::verification,
                "the bundle is not the one that was named: wanted the id " + wanted.str() +
                    ", found " + found.str(),
                "get the bundle again, or its id again, from whoever built it");
  }
}

Digest wanted_id(const TrustOptions& options) {
  if (options.bundle_id.empty()) {
    throw Error(ExitCode::usage, "--allow-unsigned needs --bundle-id",
                "add: --bundle-id sha256:… (from another channel than the bundle)");
  }
  auto id = Digest::parse(options.bundle_id);
  if (id.algorithm() != "sha256") {
    throw Error(ExitCode::usage, "a bundle's id is a sha256 digest, not " + id.str());
  }
  return id;
}

}  // namespace

// Goes through the frames that hold a window of the body, one at a time.
class Bundle::BodySource final : public Source {
 public:
  BodySource(const Bundle& bundle, std::uint64_t offset, std::uint64_t size)
      : bundle_(bundle), left_(size) {
    const auto& starts = bundle.content_offsets_;
    next_ = static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), offset) -
                                     starts.begin()) -
            1;
    skip_ = offset - starts[next_];
  }

  std::size_t read(std::span<std::byte> buffer) override {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), left_);
    if (wanted == 0) return 0;
    for (;;) {
      if (decoder_ == nullptr) load();
      const auto count = decoder_->read(buffer.first(static_cast<std::size_t>(wanted)));
      left_ -= count;
      if (count > 0) return count;
      decoder_.reset();
    }
  }

 private:
  void load() {
    const auto& frames = bundle_.inventory_.frames;
    if (next_ >= frames.size())
      throw Error(ExitCode::internal, "read past the bundle's last frame");
    const auto& frame = frames[next_];
    const auto name = bundle_.frame_name(next_);
    std::vector<std::byte> stored(frame.stored_size);
    read_exactly_at(*bundle_.file_, bundle_.frame_offsets_[next_], stored, name);
    if (!bundle_.tags_->holds(next_, stored, frame.digest)) {
      throw Error(ExitCode::verification, name + " is damaged", kCopyAgain);
    }
    decoder_ = std::make_unique<FrameDecoder>(std::move(stored), frame.content_size, name);
    ++next_;
    std::vector<std::byte> scratch(std::min<std::uint64_t>(skip_, kCopyBufferSize));
    while (skip_ > 0) {
      const auto part = std::min<std::uint64_t>(scratch.size(), skip_);
      skip_ -= decoder_->read(std::span(scratch).first(static_cast<std::size_t>(part)));
    }
  }

  const Bundle& bundle_;
  std::uint64_t left_;
  std::size_t next_ = 0;
  std::uint64_t skip_ = 0;
  std::unique_ptr<FrameDecoder> decoder_;
};

Bundle Bundle::open(const std::filesystem::path& path, const TrustStore& store,
                    const TrustOptions& options) {
  if (options.allow_unsigned) {
    const auto id = wanted_id(options);
    return open_checked(path, [&](const Envelope& envelope) {
      check_id(envelope, id);
      return std::vector<PublicKey>();
    });
  }
  FileRandomSource::open(path);  // a wrong path is told before a missing key
  return open_with_keys(path, accepted_keys(store, options));
}

Bundle Bundle::open_with_keys(const std::filesystem::path& path,
                              const std::vector<PublicKey>& accepted) {
  return open_checked(path, [&](const Envelope& envelope) { return envelope.verify(accepted); });
}

Bundle Bundle::open_checked(const std::filesystem::path& path, const Accept& accept) {
  Bundle bundle;
  bundle.path_ = path;
  bundle.file_ = std::make_unique<FileRandomSource>(FileRandomSource::open(path));
  with_context("open the bundle " + printable(path.string()), [&] { bundle.read(accept); });
  return bundle;
}

// In this order, so that each step trusts only what an earlier one checked.
void Bundle::read(const Accept& accept) {
  auto head = read_head(*file_);
  auto envelope = Envelope::parse(head.envelope);
  head.envelope = {};  // its bytes were compared with the canonical form
  if (envelope.payload_type != kInventoryPayloadType) {
    throw Error(ExitCode::verification,
                "the envelope holds another kind of payload: wanted " +
                    std::string(kInventoryPayloadType) + ", found " +
                    printable(envelope.payload_type.substr(0, 200)),
                "name a file that kbundle build wrote");
  }
  signers_ = accept(envelope);
  payload_ = std::move(envelope.payload);
  id_ = sha256(payload_).str();
  inventory_ = Inventory::parse(payload_);
  std::uint64_t offset = inventory_.head_size;
  std::uint64_t content = 0;
  for (const auto& frame : inventory_.frames) {
    frame_offsets_.push_back(offset);
    content_offsets_.push_back(content);
    offset += frame.stored_size;
    content += frame.content_size;
  }
  tags_ = std::make_unique<FrameTags>(inventory_.frames.size());
  check_file(head);
}

// Size, padding and seek table: with frame 0 and the frames' digests, every byte of the file.
void Bundle::check_file(const Head& head) const {
  const auto& frames = inventory_.frames;
  const auto table_offset = frame_offsets_.back() + frames.back().stored_size;
  const auto wanted = table_offset + seek_table_size(frames.size());
  const auto found = file_->size();
  if (found != wanted) {
    const std::string sizes = std::to_string(found) + " of " + std::to_string(wanted) + " bytes";
    throw Error(ExitCode::verification,
                found < inventory_.head_size ? "the file ends inside its header: " + sizes
                : found < wanted             ? "the file is incomplete: " + sizes
                                 : "the file is longer than the bundle: " + std::to_string(found) +
                                       " bytes, the bundle ends after " + std::to_string(wanted),
                kCopyAgain);
  }
  check_padding(*file_, head, inventory_.head_size);
  const auto table =
      seek_table(head.frame0_stored, head.frame0_content, inventory_.head_size, frames);
  std::string stored(table.size(), '\0');
  read_exactly_at(*file_, table_offset, std::as_writable_bytes(std::span(stored)),
                  "the seek table");
  if (stored != table) {
    const auto differ = std::mismatch(table.begin(), table.end(), stored.begin());
    throw Error(ExitCode::verification,
                "the file is damaged at byte " +
                    std::to_string(table_offset +
                                   static_cast<std::uint64_t>(differ.first - table.begin())) +
                    ", in its seek table",
                kCopyAgain);
  }
}

std::string Bundle::frame_name(std::size_t index) const {
  return "frame " + std::to_string(index + 1) + " at byte " + std::to_string(frame_offsets_[index]);
}

std::unique_ptr<Source> Bundle::open_body(std::uint64_t offset, std::uint64_t size) const {
  return std::make_unique<BodySource>(*this, offset, size);
}

const BlobRecord& Bundle::blob(const Digest& digest) const {
  const auto* found = inventory_.find_blob(digest);
  if (found == nullptr) {
    throw Error(ExitCode::verification, "the bundle has no blob " + digest.str());
  }
  return *found;
}

std::unique_ptr<Source> Bundle::open_blob(const Digest& digest) const {
  const auto& record = blob(digest);
  return std::make_unique<VerifyingSource>(open_body(record.offset, record.size), record.digest,
                                           record.size, "the blob " + digest.str());
}

std::unique_ptr<Source> Bundle::open_blob_range(const Digest& digest, std::uint64_t offset,
                                                std::uint64_t size) const {
  const auto& record = blob(digest);
  if (offset > record.size || size > record.size - offset) {
    throw Error(ExitCode::verification, "the blob " + digest.str() + " has " +
                                            std::to_string(record.size) + " bytes; wanted " +
                                            std::to_string(size) + " from byte " +
                                            std::to_string(offset) + " on");
  }
  return open_body(record.offset + offset, size);
}

std::string Bundle::read_blob(const Digest& digest, std::uint64_t limit) const {
  const auto source = open_blob(digest);
  return read_all(*source, limit, "the blob " + digest.str());
}

}  // namespace kbundle
