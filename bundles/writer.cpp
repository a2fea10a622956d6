#include "bundles/writer.hpp"

#include <zstd.h>

#include <algorithm>
#include <deque>
#include <future>
#include <set>
#include <thread>
#include <vector>

#include "bundles/envelope.hpp"
#include "bundles/frames.hpp"
#include "bundles/head.hpp"
#include "bundles/inventory_checks.hpp"
#include "bundles/layout.hpp"
#include "bundles/reader.hpp"
#include "bundles/ustar.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "core/version.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kMostThreads = 8;

std::size_t thread_count(std::size_t wanted) {
  if (wanted > 0) return wanted;
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostThreads);
}

struct PackedFrame {
  std::string stored;
  FrameRecord record;
};

// Takes the content by value, so that it is gone before the frame waits to be written.
PackedFrame pack_frame(std::vector<std::byte> content, bool raw, int level) {
  PackedFrame packed;
  const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  packed.stored = raw ? raw_frame(text) : compress_frame(content, level);
  packed.record = {packed.stored.size(), content.size(), sha256(packed.stored)};
  return packed;
}

// Cuts the body into the planned frames, compresses several at once and writes them in order.
class FramePacker final : public Sink {
 public:
  FramePacker(Sink& out, std::vector<PlannedFrame> plan, int level, std::size_t threads)
      : out_(out), plan_(std::move(plan)), level_(level), threads_(threads) {}

  using Sink::write;
  void write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      if (next_ >= plan_.size()) throw Error(ExitCode::internal, "the frames are full");
      const auto size = plan_[next_].content_size;
      if (content_.empty()) content_.reserve(size);
      const auto room = size - content_.size();
      const auto part = bytes.first(std::min<std::uint64_t>(room, bytes.size()));
      content_.insert(content_.end(), part.begin(), part.end());
      bytes = bytes.subspan(part.size());
      if (content_.size() == size) submit();
    }
  }

  std::vector<FrameRecord> finish() {
    while (!pending_.empty()) write_first();
    if (next_ != plan_.size()) throw Error(ExitCode::internal, "the frames are not full");
    return std::move(records_);
  }

 private:
  void submit() {
    if (pending_.size() >= threads_) write_first();
    pending_.push_back(
        std::async(std::launch::async, pack_frame, std::move(content_), plan_[next_].raw, level_));
    content_ = {};
    ++next_;
  }

  void write_first() {
    const auto packed = pending_.front().get();
    pending_.pop_front();
    out_.write(packed.stored);
    records_.push_back(packed.record);
  }

  Sink& out_;
  std::vector<PlannedFrame> plan_;
  int level_;
  std::size_t threads_;
  std::size_t next_ = 0;  // the frame that is being filled
  std::vector<std::byte> content_;
  std::deque<std::future<PackedFrame>> pending_;
  std::vector<FrameRecord> records_;
};

// Sorted by digest, each once.
void order_blobs(std::vector<BlobRecord>& blobs) {
  std::sort(blobs.begin(), blobs.end(),
            [](const BlobRecord& a, const BlobRecord& b) { return a.digest < b.digest; });
  const auto same = [](const BlobRecord& a, const BlobRecord& b) {
    return a.digest == b.digest && a.size == b.size;
  };
  blobs.erase(std::unique(blobs.begin(), blobs.end(), same), blobs.end());
}

using OpenBlob = std::function<std::unique_ptr<Source>(const Digest&)>;

// Each blob's, in their order.
std::vector<Packing> packings(const Inventory& inventory, const OpenBlob& open_blob) {
  std::set<Digest> programs;
  for (const auto& file : inventory.files) programs.insert(file.digest);
  std::vector<Packing> result;
  for (const auto& blob : inventory.blobs) {
    std::string first(std::min<std::uint64_t>(4, blob.size), '\0');
    read_exactly(*open_blob(blob.digest), std::as_writable_bytes(std::span(first)),
                 "the blob " + blob.digest.str());
    result.push_back(is_compressed(first)             ? Packing::compressed
                     : programs.contains(blob.digest) ? Packing::program
                                                      : Packing::image);
  }
  return result;
}

// Fills in what follows from sizes and first bytes; the frames' stored sizes and digests come
// later.
struct Layout {
  Body body;
  std::vector<PlannedFrame> frames;
};
Layout lay_out(Inventory& inventory, const OpenBlob& open_blob) {
  order_blobs(inventory.blobs);
  if (inventory.kbundle_version.empty()) inventory.kbundle_version = kbundle_version();
  inventory.libzstd_version = ZSTD_versionString();
  check_records(inventory);
  auto body = Body::of(inventory);
  for (std::size_t i = 0; i < inventory.blobs.size(); ++i) {
    inventory.blobs[i].offset = body.members()[i + body.first_blob()].content_offset();
  }
  auto frames = plan_frames(body, packings(inventory, open_blob));
  inventory.frames.clear();
  for (const auto& frame : frames) inventory.frames.push_back({0, frame.content_size, Digest()});
  inventory.head_size = plan_head_size(inventory);
  return {std::move(body), std::move(frames)};
}

void report_leftovers(const std::filesystem::path& target, Progress& progress) {
  const auto folder = target.has_parent_path() ? target.parent_path() : ".";
  const auto freed = remove_stale_temporaries(folder);
  if (freed > 0) {
    progress.line("removed " + human_size(freed) + " that an interrupted run left in " +
                  folder.string());
  }
}

}  // namespace

WriteResult write_bundle(const std::filesystem::path& target, Inventory inventory,
                         const std::function<std::unique_ptr<Source>(const Digest&)>& open_blob,
                         const PrivateKey& key, const WriteOptions& options, Progress& progress) {
  check_level(options.compression_level);
  auto [body, frames] = lay_out(inventory, open_blob);
  report_leftovers(target, progress);
  AtomicFile file(target);
  file.seek(inventory.head_size);

  std::uint64_t total = 0;
  for (const auto& blob : inventory.blobs) total += blob.size;
  auto task = progress.start("pack " + printable(target.filename().string()), total);
  FramePacker packer(file, std::move(frames), options.compression_level,
                     thread_count(options.threads));
  for (std::size_t i = 0; i < body.members().size(); ++i) {
    const auto& member = body.members()[i];
    const auto header = ustar_header(member.name, member.size);
    packer.write(std::string_view(header.data(), header.size()));
    if (member.content) {
      packer.write(*member.content);
    } else {
      const auto& digest = inventory.blobs[i - body.first_blob()].digest;
      VerifyingSource content(open_blob(digest), digest, member.size, "the blob " + digest.str());
      copy(content, packer, [&](std::uint64_t count) { task->advance(count); });
    }
    packer.write(std::string(ustar_padding(member.size), '\0'));
  }
  packer.write(std::string(kUstarEndSize, '\0'));
  inventory.frames = packer.finish();

  Envelope envelope{kInventoryPayloadType, inventory.serialize(), {}};
  envelope.sign(key);
  const std::string envelope_text = envelope.serialize();
  const Head head = describe_head(envelope_text);
  file.write(
      seek_table(head.frame0_stored, head.frame0_content, inventory.head_size, inventory.frames));
  const std::string head_bytes = build_head(envelope_text, inventory.head_size);
  file.write_at(0, std::as_bytes(std::span(head_bytes)));
  WriteResult result{file.position(), sha256(envelope.payload).str()};
  task->done(human_size(result.size));
  if (options.read_back) {
    with_context("read back what was written", [&] {
      Bundle::open_with_keys(file.temporary(), {key.public_key()}).verify_deep(progress);
    });
  }
  file.commit();
  return result;
}

}  // namespace kbundle
