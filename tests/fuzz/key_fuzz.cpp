// Public keys, which may come from the stick that the bundle came on.
#include "bundles/keys.hpp"
#include "fuzz.hpp"

using namespace kbundle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::accepts([&] {
    const auto key = PublicKey::from_pem(fuzz::text(data, size), "the key");
    fuzz::expect(PublicKey::from_pem(key.pem(), "the key").id() == key.id(), "a key has one id");
    fuzz::expect(fingerprint_matches(key.fingerprint(), key), "a key has its fingerprint");
    fuzz::expect(!key.verifies("message", "no signature"), "nothing is no signature");
  });
  return 0;
}
