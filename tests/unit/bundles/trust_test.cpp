#include "bundles/trust.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "sample.hpp"

using namespace kbundle;
using kbundle::test::refusal;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the trust store") {
  const test::TemporaryFolder folder;
  TrustStore store(folder / "keys");
  CHECK(store.keys().empty());
  const auto key = PrivateKey::generate().public_key();
  CHECK(store.add(key));
  CHECK_FALSE(store.add(key));
  REQUIRE(store.keys().size() == 1);
  CHECK(store.find(key.id()).has_value());
  CHECK_FALSE(store.find("00").has_value());

  SECTION("a file named for another key") {
    const auto other = PrivateKey::generate().public_key();
    write_file(store.folder() / (other.id() + ".pem"), key.pem());
    CHECK(contains(refusal([&] { store.keys(); }), "not the one it is named for"));
  }
  SECTION("a folder everyone writes to") {
    REQUIRE(::chmod(store.folder().c_str(), 0777) == 0);
    CHECK(contains(refusal([&] { store.keys(); }), "can be written by others"));
  }
}

TEST_CASE("which keys are accepted") {
  const test::TemporaryFolder folder;
  const TrustStore store(folder / "keys");
  const auto key = PrivateKey::generate().public_key();
  const auto other = PrivateKey::generate().public_key();
  write_file(folder / "key.pub", key.pem());
  TrustOptions options;

  SECTION("none at all") {
    CHECK(contains(refusal([&] { accepted_keys(store, options); }), "no key is trusted"));
  }
  options.key_file = folder / "key.pub";
  SECTION("a key that merely lies there") {
    CHECK(contains(refusal([&] { accepted_keys(store, options); }), key.fingerprint()));
  }
  SECTION("with its fingerprint") {
    options.key_fingerprint = key.fingerprint();
    options.remember = true;
    CHECK(accepted_keys(store, options).size() == 1);
    CHECK(store.find(key.id()).has_value());
    options = {};
    CHECK(accepted_keys(store, options).size() == 1);
  }
  SECTION("with another's fingerprint, even when it is in the store") {
    TrustStore(store).add(key);
    options.key_fingerprint = other.fingerprint();
    const auto message = refusal([&] { accepted_keys(store, options); });
    CHECK(contains(message, key.fingerprint()));
    CHECK(contains(message, other.fingerprint()));
  }
  SECTION("confirmed by a person") {
    options.confirm = [&](const PublicKey& asked) { return asked.id() == key.id(); };
    CHECK(accepted_keys(store, options).size() == 1);
    CHECK(store.keys().empty());
  }
  SECTION("not confirmed") {
    options.confirm = [](const PublicKey&) { return false; };
    CHECK(contains(refusal([&] { accepted_keys(store, options); }), "not confirmed"));
  }
}
