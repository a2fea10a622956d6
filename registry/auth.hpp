// Logging in to registries: WWW-Authenticate challenges, Basic credentials and Bearer tokens.
// https://distribution.github.io/distribution/spec/auth/token/
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/credentials.hpp"
#include "registry/http.hpp"

namespace kbundle {

/// One challenge of a WWW-Authenticate header. RFC 9110, section 11.6.1
struct Challenge {
  std::string scheme;                             ///< lower case: "bearer"
  std::map<std::string, std::string> parameters;  ///< keys in lower case
  std::string find(const std::string& key) const;
};

/// All challenges in the header's values. What cannot be parsed is left out; more than 8 KiB, 16
/// challenges or 32 parameters are Error{network}.
std::vector<Challenge> parse_challenges(const std::vector<std::string>& values);

/// Tokens per (host, scope). A scope may be several with a space between ("repository:a:pull,push
/// repository:b:pull", for a mount). Thread-safe.
class Authenticator {
 public:
  Authenticator(HttpClient& http, Credentials credentials, int attempts)
      : http_(http), credentials_(std::move(credentials)), attempts_(attempts) {}

  /// The Authorization header to begin with: what worked before, or empty.
  std::string known(const std::string& host, const std::string& scope);

  /// After a 401 to a request that carried `rejected` (may be empty): a new Authorization header.
  /// Error{network} with the login command as hint when there is none to be had.
  std::string answer(const std::string& host, const std::string& scope,
                     const HttpResponse& response, const std::string& rejected);

 private:
  struct Entry {
    std::string header;
    std::chrono::steady_clock::time_point until;
  };
  Entry bearer(const std::string& host, const std::string& scope, const Challenge& challenge);

  HttpClient& http_;
  Credentials credentials_;
  int attempts_;
  std::mutex known_mutex_;   // guards known_
  std::mutex answer_mutex_;  // one login at a time: others wait and use its result
  std::map<std::pair<std::string, std::string>, Entry> known_;
};

/// The Error for a refusal: names the host, what was asked for and the login command.
Error access_error(const std::string& host, const std::string& object,
                   const HttpResponse& response);

}  // namespace kbundle
