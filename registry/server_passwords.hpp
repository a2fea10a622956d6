// Who may read: a password file as Apache's htpasswd writes it, checked with crypt(3).
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace kbundle {

struct UserPassword {
  std::string user, password;
};

/// What an Authorization header of the Basic scheme holds (RFC 7617); nullopt for anything else.
std::optional<UserPassword> parse_basic(std::string_view header);

/// Safe to use from several threads at once.
class PasswordFile {
 public:
  /// Lines "user:hash" of bcrypt ($2a$, $2b$, $2y$), sha256-crypt ($5$), sha512-crypt ($6$) or
  /// yescrypt ($y$, $gy$); empty lines and #-comments. Error{usage} naming the line of any other:
  /// the weaker kinds are refused.
  static PasswordFile read(const std::filesystem::path& path);
  static PasswordFile parse(std::string_view text, std::string_view what);

  /// Whether these were checked before and held. Quick: a hash with this process' own salt.
  bool remembers(const UserPassword& given) const;
  /// The slow check, of the file's own hash; takes as long for a user who is not there.
  bool check(const UserPassword& given);
  std::size_t size() const { return hashes_.size(); }

 private:
  PasswordFile();
  std::string fingerprint(const UserPassword& given) const;

  std::map<std::string, std::string, std::less<>> hashes_;
  std::array<unsigned char, 32> salt_{};
  struct Remembered {
    std::mutex mutex;
    std::map<std::string, std::string, std::less<>> fingerprints;  // by user, of what held
  };
  std::unique_ptr<Remembered> remembered_ = std::make_unique<Remembered>();
};

}  // namespace kbundle
