#include "bundles/keys.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "sample.hpp"

using namespace kbundle;
using kbundle::test::refusal;
using kbundle::test::shell;

TEST_CASE("keys sign and verify") {
  const auto algorithm = GENERATE(KeyAlgorithm::ed25519, KeyAlgorithm::ecdsa_p256);
  const auto key = PrivateKey::generate(algorithm);
  const auto other = PrivateKey::generate(algorithm).public_key();
  const auto signature = key.sign("message");
  CHECK(key.public_key().algorithm() == algorithm);
  CHECK(key.public_key().verifies("message", signature));
  CHECK_FALSE(key.public_key().verifies("Message", signature));
  CHECK_FALSE(other.verifies("message", signature));
  CHECK_FALSE(key.public_key().verifies("message", ""));
  CHECK_FALSE(key.public_key().verifies("message", signature + "x"));
  for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
    auto flipped = signature;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(key.public_key().verifies("message", flipped));
  }
}

TEST_CASE("keys in files") {
  const test::TemporaryFolder folder;
  const auto algorithm = GENERATE(KeyAlgorithm::ed25519, KeyAlgorithm::ecdsa_p256);
  const auto key = PrivateKey::generate(algorithm);
  key.write(folder / "key");
  struct stat status = {};
  REQUIRE(::stat((folder / "key").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const auto again = PrivateKey::read(folder / "key");
  CHECK(again.public_key().id() == key.public_key().id());
  CHECK(refusal([&] { key.write(folder / "key"); }, ExitCode::usage).find("already there") !=
        std::string::npos);

  write_file(folder / "key.pub", key.public_key().pem());
  CHECK(PublicKey::read(folder / "key.pub").id() == key.public_key().id());
  CHECK(refusal([&] { PublicKey::read(folder / "key"); }).find("is a private key") !=
        std::string::npos);
  CHECK_FALSE(refusal([&] { PrivateKey::read(folder / "key.pub"); }, ExitCode::usage).empty());

  SECTION("the id is the SHA-256 of the DER that openssl writes") {
    const auto result = shell("openssl pkey -pubin -in " + (folder / "key.pub").string() +
                              " -outform DER | sha256sum | cut -c1-64");
    REQUIRE(result.ok());
    CHECK(result.output == key.public_key().id() + "\n");
  }
}

TEST_CASE("keys of other kinds are refused") {
  const test::TemporaryFolder folder;
  const auto file = folder / "key";
  const auto make = [&](const std::string& command) {
    REQUIRE(shell("cd " + folder.path().string() + " && " + command + " 2>/dev/null").ok());
  };
  SECTION("RSA") {
    make("openssl genrsa 2048 | openssl pkey -pubout -out key");
  }
  SECTION("P-384") {
    make("openssl ecparam -name secp384r1 -genkey | openssl pkey -pubout -out key");
  }
  SECTION("a compressed point, which would have a second id") {
    make(
        "openssl ecparam -name prime256v1 -genkey | openssl ec -pubout -conv_form compressed "
        "-out key");
  }
  SECTION("no key") {
    write_file(file, "hello\n");
  }
  SECTION("empty") {
    write_file(file, "");
  }
  CHECK_FALSE(refusal([&] { PublicKey::read(file); }).empty());
}

TEST_CASE("an encrypted private key is refused without asking for its password") {
  const test::TemporaryFolder folder;
  REQUIRE(shell("openssl genpkey -algorithm ed25519 -aes256 -pass pass:x -out " +
                (folder / "key").string())
              .ok());
  CHECK(refusal([&] { PrivateKey::read(folder / "key"); }, ExitCode::usage).find("encrypted") !=
        std::string::npos);
}

TEST_CASE("fingerprints") {
  const auto key = PrivateKey::generate().public_key();
  CHECK(key.fingerprint().size() == 7 + 64 + 15);
  CHECK(fingerprint_matches(key.fingerprint(), key));
  CHECK(fingerprint_matches(key.id(), key));
  CHECK(fingerprint_matches(" sha256:" + key.id() + "\n", key));
  CHECK_FALSE(fingerprint_matches("", key));
  CHECK_FALSE(fingerprint_matches("SHA256:", key));
  CHECK_FALSE(fingerprint_matches(key.id().substr(0, 63), key));
}
