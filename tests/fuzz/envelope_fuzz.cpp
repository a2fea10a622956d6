// The first bytes of a bundle that are parsed, before any signature holds.
#include "bundles/envelope.hpp"
#include "fuzz.hpp"

using namespace kbundle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::text(data, size);
  fuzz::accepts([&] {
    const auto envelope = Envelope::parse(bytes);
    fuzz::expect(envelope.serialize() == bytes, "an envelope has one spelling");
    envelope.verify({});
    fuzz::expect(false, "no key, no trust");
  });
  return 0;
}
