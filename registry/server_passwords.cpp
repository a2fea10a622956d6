#include "registry/server_passwords.hpp"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kMaxPassword = 512;  // libxcrypt's own limit
constexpr std::uint64_t kMaxFile = 1U << 20U;

bool is_strong(std::string_view hash) {
  const auto kinds = {"$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$gy$"};
  return std::any_of(kinds.begin(), kinds.end(),
                     [&](const char* kind) { return hash.starts_with(kind); });
}

bool equal(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

// Whether `password` gives `hash`. Tens of milliseconds, by design of the hash.
bool matches(const std::string& password, const std::string& hash) {
  const auto scratch = std::make_unique<crypt_data>();  // 32 KiB
  const char* found = crypt_r(password.c_str(), hash.c_str(), scratch.get());
  return found != nullptr && found[0] != '*' && equal(found, hash);
}

}  // namespace

std::optional<UserPassword> parse_basic(std::string_view header) {
  constexpr std::string_view scheme = "basic ";
  if (header.size() <= scheme.size() || to_lower(header.substr(0, scheme.size())) != scheme)
    return {};
  std::string plain;
  try {
    plain = base64_decode(trim(header.substr(scheme.size())), "the Authorization header");
  } catch (const Error&) {
    return {};
  }
  const std::size_t colon = plain.find(':');
  // crypt(3) would read a password up to its first NUL only.
  if (colon == std::string::npos || plain.find('\0') != std::string::npos ||
      plain.size() - colon > kMaxPassword)
    return {};
  return UserPassword{plain.substr(0, colon), plain.substr(colon + 1)};
}

PasswordFile::PasswordFile() {
  if (RAND_bytes(salt_.data(), static_cast<int>(salt_.size())) != 1)
    throw Error(ExitCode::internal, "no random bytes from OpenSSL");
}

PasswordFile PasswordFile::read(const std::filesystem::path& path) {
  return parse(read_file(path, kMaxFile), printable(path.string()));
}

PasswordFile PasswordFile::parse(std::string_view text, std::string_view what) {
  PasswordFile file;
  std::size_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    const std::string_view entry = trim(line);
    if (entry.empty() || entry.front() == '#') continue;
    const std::string where = std::string(what) + ", line " + std::to_string(number);
    const std::size_t colon = entry.find(':');
    if (colon == std::string_view::npos || colon == 0)
      throw Error(ExitCode::usage, where + ": wanted user:hash",
                  "make the file with `htpasswd -B -c FILE USER`");
    const std::string user(entry.substr(0, colon));
    const std::string_view hash = entry.substr(colon + 1);
    if (!is_strong(hash))
      throw Error(ExitCode::usage,
                  where + ": the password of " + printable(user) +
                      " is hashed in a weak or unknown way; wanted bcrypt, sha512-crypt or "
                      "yescrypt",
                  "hash it again: `htpasswd -B FILE " + printable(user) + "`");
    file.hashes_.insert_or_assign(user, std::string(hash));
  }
  if (file.hashes_.empty())
    throw Error(ExitCode::usage, std::string(what) + " names no user",
                "make the file with `htpasswd -B -c FILE USER`");
  return file;
}

std::string PasswordFile::fingerprint(const UserPassword& given) const {
  const std::string text = given.user + '\0' + given.password;
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  HMAC(EVP_sha256(), salt_.data(), static_cast<int>(salt_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data(), &size);
  return {reinterpret_cast<const char*>(hash.data()), size};
}

bool PasswordFile::remembers(const UserPassword& given) const {
  const std::string found = fingerprint(given);
  const std::lock_guard lock(remembered_->mutex);
  const auto known = remembered_->fingerprints.find(given.user);
  return known != remembered_->fingerprints.end() && equal(known->second, found);
}

bool PasswordFile::check(const UserPassword& given) {
  if (remembers(given)) return true;  // proved by one that waited before it
  const auto entry = hashes_.find(given.user);
  const bool known = entry != hashes_.end();
  const bool same = matches(given.password, known ? entry->second : hashes_.begin()->second);
  if (!known || !same) return false;
  const std::lock_guard lock(remembered_->mutex);
  remembered_->fingerprints.insert_or_assign(given.user, fingerprint(given));
  return true;
}

}  // namespace kbundle
