// Frame 0 and the padding, from the bytes of a file.
#include "bundles/frames.hpp"
#include "bundles/head.hpp"
#include "bundles/inventory_checks.hpp"
#include "fuzz.hpp"

using namespace kbundle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::text(data, size);
  const fuzz::BytesSource file(bytes);
  fuzz::accepts([&] {
    const auto head = read_head(file);
    // The smallest head that holds it, as head_size would say.
    const auto head_size =
        (head.frame0_stored + kSkippableHeaderSize + kHeadUnit - 1) / kHeadUnit * kHeadUnit;
    const auto rebuilt = build_head(head.envelope, head_size);
    fuzz::expect(bytes.starts_with(std::string_view(rebuilt).substr(0, head.frame0_stored)),
                 "frame 0 has one spelling");
    check_padding(file, head, head_size);
    fuzz::expect(bytes.starts_with(rebuilt), "a head has one spelling");
  });
  return 0;
}
