#include "bundles/keys.hpp"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

// Keys are a few hundred bytes; what is larger is something else.
constexpr std::uint64_t kMaxKeyFile = 16 * 1024;
// A SubjectPublicKeyInfo in the one form that has one id: Ed25519 as RFC 8410 gives it, P-256 as a
// named curve with an uncompressed point.
constexpr std::size_t kEd25519DerSize = 44;
constexpr std::size_t kP256DerSize = 91;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

EVP_PKEY* raw(const std::shared_ptr<void>& key) {
  return static_cast<EVP_PKEY*>(key.get());
}

std::shared_ptr<void> own(EVP_PKEY* key) {
  return {key, [](void* pointer) { EVP_PKEY_free(static_cast<EVP_PKEY*>(pointer)); }};
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

[[noreturn]] void fail(const std::string& action) {
  std::array<char, 200> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  ERR_clear_error();
  throw Error(ExitCode::internal, action + ": " + reason.data());
}

// Which of the two kinds a key is; Error{verification} for every other.
KeyAlgorithm algorithm_of(EVP_PKEY* key, std::string_view what) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return KeyAlgorithm::ed25519;
  std::array<char, 64> group{};
  std::size_t length = 0;
  if (EVP_PKEY_is_a(key, "EC") == 1 &&
      EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) == 1 &&
      std::string_view(group.data(), length) == "prime256v1") {
    return KeyAlgorithm::ecdsa_p256;
  }
  throw Error(ExitCode::verification,
              std::string(what) + " holds a key of another kind than Ed25519 or ECDSA P-256",
              "make one with: kbundle key generate FILE");
}

// Ed25519 hashes inside; ECDSA signs a SHA-256.
const EVP_MD* hash_for(KeyAlgorithm algorithm) {
  return algorithm == KeyAlgorithm::ed25519 ? nullptr : EVP_sha256();
}

std::string public_der(EVP_PKEY* key) {
  unsigned char* buffer = nullptr;
  const int length = i2d_PUBKEY(key, &buffer);
  if (length <= 0) fail("write a public key");
  std::string der(reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(length));
  OPENSSL_free(buffer);
  return der;
}

std::string take_pem(const Bio& bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(length)};
}

// Encrypted keys would make OpenSSL ask on the terminal; kbundle takes none.
int no_password(char*, int, int, void*) {
  return -1;
}

std::string only_hex(std::string_view typed) {
  std::string text;
  for (const char c : typed) {
    if (c != ' ' && c != ':' && c != '\t' && c != '\n' && c != '\r') text += c;
  }
  text = to_lower(text);
  return text.starts_with("sha256") ? text.substr(6) : text;
}

}  // namespace

PublicKey::PublicKey(std::shared_ptr<void> key) : key_(std::move(key)) {
  id_ = sha256(public_der(raw(key_))).hex();
}

PublicKey PublicKey::from_pem(std::string_view pem, std::string_view what) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  if (bio == nullptr) fail("read a public key");
  EVP_PKEY* parsed = PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr);
  ERR_clear_error();
  if (parsed == nullptr) {
    const bool is_private = pem.find("PRIVATE KEY-----") != std::string_view::npos;
    throw Error(ExitCode::verification,
                std::string(what) + (is_private ? " is a private key; the public one is wanted"
                                                : " is not a public key in PEM form"),
                "a public key begins with -----BEGIN PUBLIC KEY-----");
  }
  auto key = own(parsed);
  const auto algorithm = algorithm_of(parsed, what);
  const auto wanted = algorithm == KeyAlgorithm::ed25519 ? kEd25519DerSize : kP256DerSize;
  if (public_der(parsed).size() != wanted) {
    throw Error(ExitCode::verification,
                std::string(what) + " holds a key in a compressed or explicit form",
                "write it again with: openssl ec -pubin -in KEY -conv_form uncompressed "
                "-param_enc named_curve");
  }
  return PublicKey(std::move(key));
}

PublicKey PublicKey::read(const std::filesystem::path& file) {
  return from_pem(read_file(file, kMaxKeyFile), file.string());
}

std::string PublicKey::fingerprint() const {
  return format_fingerprint(id_);
}

std::string PublicKey::pem() const {
  const Bio bio(BIO_new(BIO_s_mem()), &BIO_free);
  if (bio == nullptr || PEM_write_bio_PUBKEY(bio.get(), raw(key_)) != 1) fail("write a public key");
  return take_pem(bio);
}

KeyAlgorithm PublicKey::algorithm() const {
  return algorithm_of(raw(key_), "the public key");
}

bool PublicKey::verifies(std::string_view message, std::string_view signature) const {
  const DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (context == nullptr || EVP_DigestVerifyInit(context.get(), nullptr, hash_for(algorithm()),
                                                 nullptr, raw(key_)) != 1) {
    fail("check a signature");
  }
  const int held = EVP_DigestVerify(context.get(), bytes(signature), signature.size(),
                                    bytes(message), message.size());
  ERR_clear_error();
  return held == 1;
}

std::string format_fingerprint(std::string_view key_id) {
  std::string text = "SHA256:";
  for (std::size_t i = 0; i < key_id.size(); i += 4) {
    if (i > 0) text += ' ';
    text += key_id.substr(i, 4);
  }
  return text;
}

bool fingerprint_matches(std::string_view typed, const PublicKey& key) {
  return only_hex(typed) == key.id();
}

PrivateKey::PrivateKey(std::shared_ptr<void> key) : key_(std::move(key)) {}

PrivateKey PrivateKey::generate(KeyAlgorithm algorithm) {
  EVP_PKEY* key = algorithm == KeyAlgorithm::ed25519
                      ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                      : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  if (key == nullptr) fail("make a key");
  return PrivateKey(own(key));
}

PrivateKey PrivateKey::read(const std::filesystem::path& file) {
  const std::string pem = read_file(file, kMaxKeyFile);
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  if (bio == nullptr) fail("read a private key");
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr);
  ERR_clear_error();
  if (key == nullptr) {
    const bool encrypted = pem.find("ENCRYPTED") != std::string::npos;
    throw Error(ExitCode::usage,
                file.string() + (encrypted ? " is encrypted; kbundle reads plain keys only"
                                           : " is not a private key in PEM form"),
                "make one with: kbundle key generate FILE");
  }
  PrivateKey result(own(key));
  algorithm_of(key, file.string());
  return result;
}

void PrivateKey::write(const std::filesystem::path& file) const {
  std::error_code ignored;
  const auto status = std::filesystem::symlink_status(file, ignored);
  if (std::filesystem::exists(status)) {
    throw Error(ExitCode::usage, file.string() + " is already there; a key is never overwritten",
                "name another file");
  }
  const Bio bio(BIO_new(BIO_s_mem()), &BIO_free);
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), raw(key_), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    fail("write a private key");
  }
  write_file(file, take_pem(bio), 0600);
}

PublicKey PrivateKey::public_key() const {
  // Through DER, so that the result holds no private part.
  const std::string der = public_der(raw(key_));
  const unsigned char* cursor = bytes(der);
  EVP_PKEY* key = d2i_PUBKEY(nullptr, &cursor, static_cast<long>(der.size()));
  if (key == nullptr) fail("take the public key out of a private one");
  return PublicKey(own(key));
}

std::string PrivateKey::sign(std::string_view message) const {
  const DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  const auto* hash = hash_for(algorithm_of(raw(key_), "the signing key"));
  std::size_t length = 0;
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, hash, nullptr, raw(key_)) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &length, bytes(message), message.size()) != 1) {
    fail("sign");
  }
  std::string signature(length, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                     bytes(message), message.size()) != 1) {
    fail("sign");
  }
  signature.resize(length);
  return signature;
}

}  // namespace kbundle
