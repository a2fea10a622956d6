// A bundle whose signed inventory vouches for hostile frames: the input is the stored bytes of its
// one frame. Reaches the zstd decoder and the comparison with the canonical tar headers.
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/bundles/sample.hpp"
#include "bundles/envelope.hpp"
#include "bundles/frames.hpp"
#include "bundles/head.hpp"
#include "bundles/layout.hpp"
#include "fuzz.hpp"

using namespace kbundle;

namespace {

constexpr std::uint64_t kHeadSize = 64U << 10U;

Inventory inventory_for(std::string_view frame) {
  auto sample = test::tiny_sample();
  auto inventory = sample.inventory;
  const auto body = Body::of(inventory);
  for (std::size_t i = 0; i < inventory.blobs.size(); ++i) {
    inventory.blobs[i].offset = body.members()[i + body.first_blob()].content_offset();
  }
  inventory.frames = {{frame.size(), body.size(), sha256(frame)}};
  inventory.head_size = kHeadSize;
  return inventory;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto frame = fuzz::text(data, size);
  const auto inventory = inventory_for(frame);
  const Envelope envelope{kInventoryPayloadType, inventory.serialize(), {}};
  const auto envelope_text = envelope.serialize();
  const auto head = describe_head(envelope_text);
  std::string file = build_head(envelope_text, kHeadSize);
  file += frame;
  file += seek_table(head.frame0_stored, head.frame0_content, kHeadSize, inventory.frames);

  const UniqueFd memory(::memfd_create("bundle", MFD_CLOEXEC));
  FdSink(memory.get(), "bundle").write(file);
  TrustOptions options;
  options.allow_unsigned = true;
  options.bundle_id = sha256(envelope.payload).str();
  static const auto quiet = make_progress(ProgressMode::quiet);
  const auto& digest = inventory.blobs.at(0).digest;
  fuzz::accepts([&] {
    const auto bundle = Bundle::open("/proc/self/fd/" + std::to_string(memory.get()),
                                     TrustStore("/nonexistent"), options);
    fuzz::expect(bundle.bad_frames(*quiet).empty(), "frames are as they were signed");
    if (fuzz::accepts([&] { bundle.read_blob(digest); })) {
      fuzz::expect(sha256(bundle.read_blob(digest)) == digest, "a blob is what its digest says");
    }
    bundle.verify_deep(*quiet);
    fuzz::expect(bundle.read_blob(digest).size() == inventory.blobs[0].size,
                 "what verify_deep took can be read");
  });
  return 0;
}
