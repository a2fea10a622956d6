#include "core/digest.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::size_t hex_length(std::string_view algorithm) {
  if (algorithm == "sha256") return 64;
  if (algorithm == "sha512") return 128;
  return 0;
}

}  // namespace

Digest Digest::parse(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto hex = text.substr(colon + 1);
    const auto length = hex_length(text.substr(0, colon));
    if (length != 0 && hex.size() == length && is_lower_hex(hex)) return Digest(std::string(text));
  }
  throw Error(ExitCode::verification, "not a digest: \"" + printable(text.substr(0, 150)) +
                                          "\" (wanted sha256:<64 lower-case hex digits>)");
}

Digest Digest::from_hex(std::string_view hex) {
  return parse((hex.size() == 128 ? "sha512:" : "sha256:") + to_lower(hex));
}

std::string Digest::algorithm() const {
  return text_.substr(0, text_.find(':'));
}

std::string Digest::hex() const {
  const auto colon = text_.find(':');
  return colon == std::string::npos ? std::string() : text_.substr(colon + 1);
}

std::string Digest::short_hex() const {
  return hex().substr(0, 12);
}

struct Hasher::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::string algorithm;
  ~State() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher(std::string_view algorithm) : state_(std::make_unique<State>()) {
  state_->algorithm = algorithm;
  const EVP_MD* method = algorithm == "sha512" ? EVP_sha512() : EVP_sha256();
  if (hex_length(algorithm) == 0 || state_->context == nullptr ||
      EVP_DigestInit_ex(state_->context, method, nullptr) != 1) {
    throw Error(ExitCode::internal, "cannot hash with " + std::string(algorithm));
  }
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) != 1) {
    throw Error(ExitCode::internal, "hashing failed");
  }
}

void Hasher::update(std::string_view bytes) {
  update(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

Digest Hasher::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(state_->context, raw.data(), &length) != 1) {
    throw Error(ExitCode::internal, "hashing failed");
  }
  return Digest::parse(state_->algorithm + ":" +
                       to_hex({reinterpret_cast<const char*>(raw.data()), length}));
}

Digest sha256(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace kbundle
