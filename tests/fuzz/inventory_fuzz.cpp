// The signed payload.
#include "bundles/inventory.hpp"
#include "bundles/layout.hpp"
#include "fuzz.hpp"

using namespace kbundle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::text(data, size);
  fuzz::accepts([&] {
    const auto inventory = Inventory::parse(bytes);
    fuzz::expect(inventory.serialize() == bytes, "an inventory has one spelling");
    std::uint64_t end = 0;
    for (const auto& blob : inventory.blobs) {
      fuzz::expect(blob.offset >= end + 512, "blobs do not overlap");
      end = blob.offset + blob.size;
    }
    fuzz::expect(end <= Body::of(inventory).size(), "blobs lie in the body");
  });
  return 0;
}
