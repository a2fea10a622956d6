#include "registry/auth.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "core/json.hpp"
#include "core/text.hpp"
#include "registry/retry.hpp"

namespace kbundle {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kChallengeLimit = 8 * 1024;
constexpr std::size_t kMostChallenges = 16;
constexpr std::size_t kMostParameters = 32;
constexpr std::size_t kTokenLimit = 64 * 1024;  // the whole answer of a token server
constexpr std::size_t kLongestRealm = 2048;
// The specification's default, and for how long we believe a server at most. Seconds.
constexpr std::uint64_t kDefaultLifetime = 60;
constexpr std::uint64_t kLongestLifetime = 3600;

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Reads one header value from left to right.
class ChallengeReader {
 public:
  explicit ChallengeReader(std::string_view text) : text_(text) {}

  void read_into(std::vector<Challenge>& challenges) {
    Challenge* current = nullptr;
    while (true) {
      skip(" \t,");
      const std::string word = token();
      if (word.empty()) return;  // the end, or nonsense
      skip(" \t");
      if (peek() != '=') {
        if (challenges.size() == kMostChallenges) refuse();
        current = &challenges.emplace_back(Challenge{to_lower(word), {}});
        continue;
      }
      ++at_;
      skip(" \t");
      const std::string value = peek() == '"' ? quoted() : token();
      if (current == nullptr) return;
      if (current->parameters.size() == kMostParameters) refuse();
      current->parameters.emplace(to_lower(word), value);  // the first one counts
    }
  }

 private:
  [[noreturn]] static void refuse() {
    throw Error(ExitCode::network,
                "the server's WWW-Authenticate header is larger than any sane one");
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip(std::string_view characters) {
    while (at_ < text_.size() && characters.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  std::string token() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_token_char(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }
  std::string quoted() {
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      value += text_[at_];
    }
    if (at_ < text_.size()) ++at_;  // the closing quote
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

const Challenge* find_scheme(const std::vector<Challenge>& challenges, std::string_view scheme) {
  const auto found = std::find_if(challenges.begin(), challenges.end(),
                                  [&](const Challenge& c) { return c.scheme == scheme; });
  return found == challenges.end() ? nullptr : &*found;
}

std::string basic(const Credential& credential) {
  return "Basic " + base64_encode(credential.user + ":" + credential.password);
}

// The realm is the registry's word: it may only lead to another HTTPS server, or to one that the
// user allowed plain HTTP for.
Url checked_realm(const HttpClient& http, const std::string& host, const std::string& realm) {
  const auto refuse = [&](const char* why) {
    return Error(ExitCode::network,
                 fmt::format("{} sends to a token server that is refused ({}): {}", host, why,
                             printable(realm.substr(
                                 0, std::min<std::size_t>(realm.find_first_of("?#@"), 200)))));
  };
  if (realm.empty() || realm.size() > kLongestRealm)
    throw refuse("its address is empty or too long");
  if (realm.find('@') < realm.find('?')) throw refuse("it carries user information");
  try {
    const Url url = Url::parse(realm);
    if (!url.is_https() && !http.is_plain(url.host())) throw refuse("it is not https");
    return url;
  } catch (const Error& error) {
    if (error.code() == ExitCode::usage) throw refuse("it is not a URL");
    throw;
  }
}

std::string token_in(const std::string& body, const std::string& what, std::uint64_t& lifetime) {
  const Json answer = parse_json(body, what, JsonLimits{.size = kTokenLimit, .depth = 8});
  std::string token;
  for (const char* key : {"token", "access_token"}) {
    if (token.empty() && answer.is_object() && answer.contains(key) && answer[key].is_string())
      token = answer[key].get<std::string>();
  }
  // Anything but visible ASCII would break the request header that it goes into.
  if (token.empty() ||
      !std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; }))
    throw Error(ExitCode::network, what + " holds no usable token");
  lifetime = kDefaultLifetime;
  if (answer.contains("expires_in") && answer["expires_in"].is_number_unsigned())
    lifetime = std::min(answer["expires_in"].get<std::uint64_t>(), kLongestLifetime);
  return token;
}

}  // namespace

std::string Challenge::find(const std::string& key) const {
  const auto found = parameters.find(key);
  return found == parameters.end() ? std::string() : found->second;
}

std::vector<Challenge> parse_challenges(const std::vector<std::string>& values) {
  std::vector<Challenge> challenges;
  std::size_t size = 0;
  for (const std::string& value : values) {
    size += value.size();
    if (size > kChallengeLimit)
      throw Error(ExitCode::network, fmt::format("the server's WWW-Authenticate header is larger "
                                                 "than {} bytes",
                                                 kChallengeLimit));
    ChallengeReader(value).read_into(challenges);
  }
  return challenges;
}

Error access_error(const std::string& host, const std::string& object,
                   const HttpResponse& response) {
  const std::string reason = response.reason();
  const std::string hint =
      response.password_sent
          ? "the user and the password that kbundle found for it are refused; log in anew: docker "
            "login {}, or name others with --auth-file"
          : "it needs credentials: docker login {} (kbundle reads what that leaves); many "
            "registries answer so for names that do not exist, too";
  return Error(ExitCode::network,
               fmt::format("{} refuses {} ({}{}{})", host, object, response.status,
                           reason.empty() ? "" : ": ", reason),
               fmt::format(fmt::runtime(hint), host));
}

std::string Authenticator::known(const std::string& host, const std::string& scope) {
  const std::lock_guard lock(known_mutex_);
  const auto found = known_.find({host, scope});
  if (found == known_.end() || found->second.until <= steady_clock::now()) return {};
  return found->second.header;
}

Authenticator::Entry Authenticator::bearer(const std::string& host, const std::string& scope,
                                           const Challenge& challenge) {
  const Url realm = checked_realm(http_, host, challenge.find("realm"));
  const Credential credential = credentials_.find(host, repository_of_scope(scope));
  const std::string service = challenge.find("service");
  HttpRequest request;
  std::string query = "service=" + url_escape(service);
  // Several scopes: a parameter each in a GET, one parameter with spaces in OAuth's POST.
  const bool oauth = !credential.identity_token.empty();
  for (const std::string& one : oauth ? std::vector<std::string>{scope} : split(scope, ' '))
    query += "&scope=" + url_escape(one);
  if (oauth) {
    request.url = realm.str();
    request.form = query + "&grant_type=refresh_token&client_id=kbundle&refresh_token=" +
                   url_escape(credential.identity_token);
  } else {
    if (!credential.empty()) {
      request.authorization = basic(credential);
      query += "&account=" + url_escape(credential.user);
    }
    request.url = realm.str() + (realm.str().find('?') == std::string::npos ? "?" : "&") + query;
  }

  std::string body;
  request.on_body = [&](std::span<const std::byte> bytes) {
    if (body.size() + bytes.size() > kTokenLimit)
      throw Error(ExitCode::network, fmt::format("{}: the token is larger than {}", realm.shown(),
                                                 human_size(kTokenLimit)));
    body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  Retry retry(attempts_);
  while (true) {
    body.clear();
    const HttpResponse response = http_.send(request);
    if (response.failure) {
      retry.failed(*response.failure);
      continue;
    }
    if (response.ok()) break;
    if (response.status != 429 && response.status < 500) throw access_error(host, scope, response);
    retry.failed(Error(ExitCode::network, fmt::format("{}: status {} {}", realm.shown(),
                                                      response.status, response.reason())),
                 parse_retry_after(response.headers.find("retry-after").value_or("")));
  }
  std::uint64_t lifetime = 0;
  std::string token;
  try {
    token = token_in(body, "the answer of " + realm.shown(), lifetime);
  } catch (const Error& error) {
    throw Error(ExitCode::network, error.message());
  }
  // Given up a little early, so that none runs out on its way.
  return Entry{"Bearer " + token, steady_clock::now() + std::chrono::seconds(lifetime * 9 / 10)};
}

std::string Authenticator::answer(const std::string& host, const std::string& scope,
                                  const HttpResponse& response, const std::string& rejected) {
  const std::lock_guard login(answer_mutex_);
  if (const std::string newer = known(host, scope); !newer.empty() && newer != rejected)
    return newer;  // another thread logged in meanwhile

  const std::vector<Challenge> challenges =
      parse_challenges(response.headers.all("www-authenticate"));
  Entry entry;
  if (const Challenge* challenge = find_scheme(challenges, "bearer")) {
    entry = bearer(host, scope, *challenge);
  } else if (find_scheme(challenges, "basic") != nullptr) {
    const Credential credential = credentials_.find(host, repository_of_scope(scope));
    if (credential.user.empty() && credential.password.empty())
      throw access_error(host, scope, response);
    entry = Entry{basic(credential), steady_clock::time_point::max()};
    if (entry.header == rejected) throw access_error(host, scope, response);
  } else {
    throw access_error(host, scope, response);
  }
  const std::lock_guard lock(known_mutex_);
  known_[{host, scope}] = entry;
  return entry.header;
}

}  // namespace kbundle
