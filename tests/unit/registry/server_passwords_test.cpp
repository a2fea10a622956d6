#include "registry/server_passwords.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/text.hpp"

using namespace kbundle;

namespace {

// htpasswd -nbB -C 4 alice secret; openssl passwd -6 -salt abcdefgh geheim
constexpr const char* kFile =
    "# who may pull\n"
    "alice:$2y$04$XPOuQkpd95lNJmM/XEhtJu3RonrilnTZjhvowbnBoP4VI2mkqKuEC\n"
    "\n"
    "bob:$6$abcdefgh$msgktWxVAbjjh3X7lA5LaM7dS/"
    "ZfABJL6T4qcRsnjcOTj0kptUvZcrvrXIoO5fgPA9xz6UnF2To2Y7jGc/IZY/\r\n";

std::string usage_error(const std::string& text) {
  try {
    PasswordFile::parse(text, "users");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::usage);
    return error.message();
  }
  return "no error";
}

}  // namespace

TEST_CASE("passwords of bcrypt and sha512-crypt hold, others do not") {
  auto file = PasswordFile::parse(kFile, "users");
  CHECK(file.size() == 2);
  const UserPassword alice{"alice", "secret"}, bob{"bob", "geheim"};
  CHECK_FALSE(file.remembers(alice));
  CHECK(file.check(alice));
  CHECK(file.remembers(alice));
  CHECK_FALSE(file.remembers({"alice", "secret2"}));
  CHECK_FALSE(file.remembers({"bob", "secret"}));
  CHECK(file.check(bob));
  CHECK_FALSE(file.check({"alice", ""}));
  CHECK_FALSE(file.check({"alice", "geheim"}));
  CHECK_FALSE(file.check({"carol", "secret"}));
  CHECK_FALSE(file.check({"", ""}));
  CHECK(file.remembers(alice));
}

TEST_CASE("a password file is refused that is weak, empty or none") {
  CHECK(usage_error("").find("no user") != std::string::npos);
  CHECK(usage_error("# nobody\n").find("no user") != std::string::npos);
  for (const char* hash : {"plain", "$apr1$abcdefgh$0123456789012345678901",
                           "{SHA}abc=", "$1$abc$def", "abJnggxhB/yWI", ""})
    CHECK(usage_error("\nalice:" + std::string(hash)).find("users, line 2") != std::string::npos);
  CHECK(usage_error("alice").find("line 1") != std::string::npos);
  CHECK(usage_error(":$2y$05$x").find("line 1") != std::string::npos);
}

TEST_CASE("the Basic scheme") {
  const auto header = [](const std::string& plain) { return "Basic " + base64_encode(plain); };
  const auto found = parse_basic(header("alice:a:b"));
  REQUIRE(found);
  CHECK(found->user == "alice");
  CHECK(found->password == "a:b");
  CHECK(parse_basic("basic  " + base64_encode("u:p"))->password == "p");
  CHECK_FALSE(parse_basic(""));
  CHECK_FALSE(parse_basic("Basic"));
  CHECK_FALSE(parse_basic("Bearer abc"));
  CHECK_FALSE(parse_basic("Basic !!!"));
  CHECK_FALSE(parse_basic(header("no colon")));
  CHECK_FALSE(parse_basic(header(std::string("u:p\0x", 5))));
  CHECK_FALSE(parse_basic(header("u:" + std::string(600, 'x'))));
}
