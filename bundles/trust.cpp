#include "bundles/trust.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "core/user_folders.hpp"

namespace kbundle {
namespace {

// Who can write here decides what is believed.
void check_private(const std::filesystem::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) throw_errno("look at " + path.string(), errno);
  const bool foreign = status.st_uid != 0 && status.st_uid != ::geteuid();
  if (foreign || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    throw Error(ExitCode::verification,
                path.string() + " can be written by others, so its keys mean nothing",
                "check its keys, then: chown, and chmod go-w " + path.string());
  }
}

[[noreturn]] void refuse_fingerprint(const TrustOptions& options, const PublicKey& key) {
  throw Error(ExitCode::verification,
              "the key in " + options.key_file.string() +
                  " is not the one that was named: wanted " + printable(options.key_fingerprint) +
                  ", found " + key.fingerprint(),
              "ask whoever built the bundle for the key again, and for its fingerprint by another "
              "way than the one the key came by");
}

// The key of --key, once something other than its mere presence speaks for it.
PublicKey confirmed_key(const TrustStore& store, const TrustOptions& options) {
  auto key = PublicKey::read(options.key_file);
  if (!options.key_fingerprint.empty()) {
    if (!fingerprint_matches(options.key_fingerprint, key)) refuse_fingerprint(options, key);
    return key;
  }
  if (store.find(key.id())) return key;
  if (options.confirm) {
    if (options.confirm(key)) return key;
    throw Error(ExitCode::verification,
                "the key in " + options.key_file.string() + " was not confirmed",
                "compare its fingerprint, " + key.fingerprint() + ", with its owner's");
  }
  throw Error(ExitCode::verification,
              "the key in " + options.key_file.string() +
                  " is not trusted on this host yet; its fingerprint is " + key.fingerprint(),
              "when its owner tells you the same fingerprint, add: --key-fingerprint " + key.id());
}

}  // namespace

TrustStore TrustStore::standard() {
  if (::geteuid() == 0) return TrustStore("/etc/kbundle/trusted-keys");
  return TrustStore(user_config_folder() / "trusted-keys");
}

std::vector<PublicKey> TrustStore::keys() const {
  std::vector<PublicKey> keys;
  std::error_code missing;
  if (!std::filesystem::is_directory(folder_, missing)) return keys;
  check_private(folder_);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const auto name = entry.path().filename().string();
    if (name.ends_with(".pem") && !name.starts_with('.')) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    check_private(file);
    keys.push_back(PublicKey::read(file));
    if (file.stem().string() != keys.back().id()) {
      throw Error(
          ExitCode::verification,
          file.string() + " holds the key " + keys.back().id() + ", not the one it is named for",
          "take it out of the folder and add the key again: kbundle key trust FILE");
    }
  }
  return keys;
}

std::optional<PublicKey> TrustStore::find(const std::string& id) const {
  for (auto& key : keys()) {
    if (key.id() == id) return key;
  }
  return {};
}

bool TrustStore::add(const PublicKey& key) {
  if (find(key.id())) return false;
  make_folders(folder_);
  write_file(folder_ / (key.id() + ".pem"), key.pem());
  return true;
}

std::vector<PublicKey> accepted_keys(const TrustStore& store, const TrustOptions& options) {
  auto keys = store.keys();
  if (options.key_file.empty()) {
    if (!options.key_fingerprint.empty()) {
      throw Error(ExitCode::usage, "--key-fingerprint needs --key", "add: --key PUBLIC_KEY_FILE");
    }
    if (keys.empty()) {
      throw Error(ExitCode::verification,
                  "no key is trusted on this host (" + store.folder().string() + " holds none)",
                  "name the bundle's key: --key FILE --key-fingerprint SHA256:… (the fingerprint "
                  "from its owner, not from beside the bundle)");
    }
    return keys;
  }
  auto key = confirmed_key(store, options);
  if (options.remember) TrustStore(store).add(key);
  const bool known = std::any_of(keys.begin(), keys.end(),
                                 [&](const PublicKey& one) { return one.id() == key.id(); });
  if (!known) keys.push_back(std::move(key));
  return keys;
}

}  // namespace kbundle
