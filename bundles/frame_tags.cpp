#include "bundles/frame_tags.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "core/error.hpp"

namespace kbundle {
namespace {

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

void must(int result) {
  if (result != 1) throw Error(ExitCode::internal, "OpenSSL computes no Poly1305");
}

}  // namespace

void FrameTags::compute(Tag& tag, std::span<const std::byte> stored) {
  const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, "POLY1305", nullptr));
  const std::unique_ptr<EVP_MAC_CTX, FreeMac> context(mac ? EVP_MAC_CTX_new(mac.get()) : nullptr);
  must(context ? 1 : 0);
  std::size_t size = 0;
  must(EVP_MAC_init(context.get(), tag.key.data(), tag.key.size(), nullptr));
  must(EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(stored.data()),
                      stored.size()));
  must(EVP_MAC_final(context.get(), tag.value.data(), &size, tag.value.size()));
}

bool FrameTags::holds(std::size_t index, std::span<const std::byte> stored, const Digest& digest) {
  std::optional<Tag> known;
  {
    const std::lock_guard guard(mutex_);
    known = tags_.at(index);
  }
  Tag found;
  if (known) {
    found.key = known->key;
    compute(found, stored);
    return CRYPTO_memcmp(found.value.data(), known->value.data(), kTagSize) == 0;
  }
  Hasher hasher;
  hasher.update(stored);
  if (hasher.finish() != digest) return false;
  must(RAND_bytes(found.key.data(), static_cast<int>(found.key.size())));
  compute(found, stored);
  const std::lock_guard guard(mutex_);
  tags_[index] = found;
  return true;
}

}  // namespace kbundle
