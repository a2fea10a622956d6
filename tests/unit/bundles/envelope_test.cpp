#include "bundles/envelope.hpp"

#include <catch2/catch.hpp>

#include "core/text.hpp"
#include "sample.hpp"

using namespace kbundle;
using kbundle::test::refusal;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Envelope signed_envelope(const PrivateKey& key) {
  Envelope envelope{"application/test", "the payload", {}};
  envelope.sign(key);
  return envelope;
}

}  // namespace

TEST_CASE("the pre-authentication encoding is DSSE's") {
  // The example of the DSSE specification, protocol.md.
  CHECK(Envelope::pae("http://example.com/HelloWorld", "hello world") ==
        "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

TEST_CASE("an envelope there and back") {
  const auto key = PrivateKey::generate();
  const auto envelope = signed_envelope(key);
  const auto text = envelope.serialize();
  CHECK(text == canonical_json(Json::parse(text)));
  const auto again = Envelope::parse(text);
  CHECK(again.payload == "the payload");
  CHECK(again.payload_type == "application/test");
  REQUIRE(again.verify({key.public_key()}).size() == 1);
}

TEST_CASE("signatures") {
  const auto key = PrivateKey::generate();
  const auto other = PrivateKey::generate(KeyAlgorithm::ecdsa_p256);
  const auto stranger = PrivateKey::generate();
  auto envelope = signed_envelope(key);

  SECTION("by a key that is not accepted: both fingerprints") {
    const auto message = refusal([&] { envelope.verify({stranger.public_key()}); });
    CHECK(contains(message, key.public_key().fingerprint()));
    CHECK(contains(message, stranger.public_key().fingerprint()));
  }
  SECTION("no signature") {
    envelope.signatures.clear();
    CHECK(refusal([&] { envelope.verify({key.public_key()}); }) == "the bundle is not signed");
  }
  SECTION("keyid names a trusted key, another one signed") {
    auto lie = signed_envelope(stranger);
    lie.signatures[0].keyid = key.public_key().id();
    CHECK(contains(refusal([&] { lie.verify({key.public_key()}); }), "did not sign this content"));
    // Nor does a good signature beside it help.
    lie.sign(other);
    CHECK(contains(refusal([&] {
                     lie.verify({key.public_key(), other.public_key()});
                   }),
                   "did not sign this content"));
  }
  SECTION("the same key twice counts once") {
    envelope.sign(key);
    CHECK(envelope.verify({key.public_key(), key.public_key()}).size() == 1);
  }
  SECTION("two keys") {
    envelope.sign(other);
    CHECK(envelope.verify({key.public_key(), other.public_key()}).size() == 2);
    CHECK(envelope.verify({other.public_key()}).size() == 1);
  }
  SECTION("another type or payload") {
    auto changed = envelope;
    changed.payload_type = "application/other";
    CHECK_FALSE(refusal([&] { changed.verify({key.public_key()}); }).empty());
    changed = envelope;
    changed.payload += " ";
    CHECK_FALSE(refusal([&] { changed.verify({key.public_key()}); }).empty());
  }
}

TEST_CASE("only the canonical spelling is read") {
  const auto text = signed_envelope(PrivateKey::generate()).serialize();
  const auto refused = [](const std::string& bytes) {
    return !refusal([&] { Envelope::parse(bytes); }).empty();
  };
  REQUIRE_FALSE(refused(text));
  CHECK(refused(""));
  CHECK(refused("[]"));
  CHECK(refused("{}"));
  CHECK(refused(text + " "));
  CHECK(refused(" " + text));
  CHECK(refused(text + text));
  CHECK(refused(text.substr(0, text.size() - 1)));
  const auto with = [&](const std::string& from, const std::string& to) {
    auto changed = text;
    const auto at = changed.find(from);
    REQUIRE(at != std::string::npos);
    return changed.replace(at, from.size(), to);
  };
  CHECK(refused(with(",\"payloadType\"", ", \"payloadType\"")));
  CHECK(refused(with("application/test", "application\\/test")));
  CHECK(refused(with("{\"payload\":", "{\"extra\":1,\"payload\":")));
  CHECK(refused(with("{\"payload\":", "{\"payload\":\"\",\"payload\":")));
  CHECK(refused(with("\"keyid\":\"", "\"keyid\":\"A")));
  // "the payload" takes 11 bytes: one of padding, and two bits that must be zero.
  CHECK(refused(with("dGhlIHBheWxvYWQ=", "dGhlIHBheWxvYWR=")));
  CHECK(refused(with("dGhlIHBheWxvYWQ=", "dGhlIHBheWxvYWQ")));
  CHECK(refused(with("dGhlIHBheWxvYWQ=", "dGhlIHBheWxv\\nYWQ=")));
  CHECK(refused(with("\"signatures\":[{", "\"signatures\":[[[[[[]]]]],{")));
  CHECK(refused(R"({"payload":"","payloadType":"x","signatures":[)" + std::string(100000, '[')));
}
