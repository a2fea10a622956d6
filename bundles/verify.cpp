// Bundle::verify and its deeper sister.
#include <algorithm>
#include <mutex>
#include <vector>

#include "bundles/image_stream.hpp"
#include "bundles/layout.hpp"
#include "bundles/reader.hpp"
#include "bundles/ustar.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kHashingThreads = 2;
constexpr std::size_t kMostNamed = 20;  // bad frames in one message

Digest hash_window(const RandomSource& file, std::uint64_t offset, std::uint64_t size,
                   ProgressTask& task) {
  SliceSource source(file, offset, size);
  Hasher hasher;
  std::vector<std::byte> buffer(kCopyBufferSize);
  while (const auto count = source.read(buffer)) {
    throw_if_interrupted();
    hasher.update(std::span<const std::byte>(buffer.data(), count));
    task.advance(count);
  }
  return hasher.finish();
}

// Reads on in the body and compares with what must stand there.
void expect(Source& body, std::string_view wanted, const std::string& what) {
  std::string found(wanted.size(), '\0');
  read_exactly(body, std::as_writable_bytes(std::span(found)), what);
  if (found != wanted) {
    throw Error(ExitCode::verification, what + " is not what the inventory gives",
                "the bundle was built wrongly; build it again");
  }
}

void check_blob(Source& body, const BlobRecord& blob, ProgressTask& task) {
  Hasher hasher;
  std::vector<std::byte> buffer(kCopyBufferSize);
  for (auto left = blob.size; left > 0;) {
    throw_if_interrupted();
    const auto part = std::span(buffer).first(std::min<std::uint64_t>(left, buffer.size()));
    read_exactly(body, part, "the blob " + blob.digest.str());
    hasher.update(part);
    task.advance(part.size());
    left -= part.size();
  }
  const auto found = hasher.finish();
  if (found != blob.digest) {
    throw Error(ExitCode::verification,
                "a blob's content does not match its digest: wanted " + blob.digest.str() +
                    ", found " + found.str(),
                "the bundle was built wrongly; build it again");
  }
}

}  // namespace

std::vector<Bundle::BadFrame> Bundle::bad_frames(Progress& progress) const {
  const auto& frames = inventory_.frames;
  std::uint64_t total = 0;
  for (const auto& frame : frames) total += frame.stored_size;
  const auto task = progress.start("verify " + printable(path_.filename().string()), total);
  std::vector<BadFrame> bad;
  std::mutex mutex;
  for_each_parallel(frames.size(), kHashingThreads, [&](std::size_t i) {
    const auto found = hash_window(*file_, frame_offsets_[i], frames[i].stored_size, *task);
    if (found == frames[i].digest) return;
    const std::lock_guard guard(mutex);
    bad.push_back({i + 1, frame_offsets_[i], frames[i].stored_size});
  });
  std::sort(bad.begin(), bad.end(),
            [](const BadFrame& a, const BadFrame& b) { return a.number < b.number; });
  if (bad.empty()) task->done("every byte as it was signed");
  return bad;
}

void Bundle::verify(Progress& progress) const {
  const auto bad = bad_frames(progress);
  if (bad.empty()) return;
  std::vector<std::string> names;
  for (const auto& frame : bad) {
    if (names.size() == kMostNamed) {
      names.push_back("and " + std::to_string(bad.size() - kMostNamed) + " more");
      break;
    }
    names.push_back("frame " + std::to_string(frame.number) + " (bytes " +
                    std::to_string(frame.offset) + " to " +
                    std::to_string(frame.offset + frame.size - 1) + ")");
  }
  throw Error(ExitCode::verification,
              printable(path_.string()) + " is damaged: " + std::to_string(bad.size()) + " of " +
                  std::to_string(inventory_.frames.size()) +
                  " frames are not as they were signed: " + join(names, ", "),
              "copy it again from where it was built; if the same frames are bad once more, the "
              "medium or the original is");
}

void Bundle::verify_deep(Progress& progress) const {
  verify(progress);
  const auto layout = Body::of(inventory_);
  std::uint64_t total = 0;
  for (const auto& blob : inventory_.blobs) total += blob.size;
  const auto task = progress.start("decode " + printable(path_.filename().string()), total);
  const auto body = open_body(0, layout.size());
  for (std::size_t i = 0; i < layout.members().size(); ++i) {
    const auto& member = layout.members()[i];
    const auto header = ustar_header(member.name, member.size);
    expect(*body, {header.data(), header.size()}, "the tar header of " + member.name);
    if (member.content) {
      expect(*body, *member.content, member.name);
    } else {
      check_blob(*body, inventory_.blobs[i - layout.first_blob()], *task);
    }
    expect(*body, std::string(ustar_padding(member.size), '\0'), "the padding of " + member.name);
  }
  expect(*body, std::string(kUstarEndSize, '\0'), "the end of the tar archive");
  for (const auto& image : inventory_.images) {
    for (const auto& one : image.platforms) image_blobs(*this, image, one.platform);
  }
  task->done("every blob as its digest says");
}

}  // namespace kbundle
