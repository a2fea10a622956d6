#include "bundles/envelope.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::string_view kWhat = "the bundle's envelope (kbundle.dsse.json)";
constexpr std::size_t kMaxSignatures = 16;

bool is_key_id(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ExitCode::verification, std::string(kWhat) + ": " + why,
              "the file is damaged or was not written by kbundle; copy it again");
}

std::string list_fingerprints(const std::vector<std::string>& ids) {
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  for (const auto& id : ids) texts.push_back(format_fingerprint(id));
  return join(texts, " or ");
}

}  // namespace

std::string Envelope::pae(std::string_view payload_type, std::string_view payload) {
  std::string text = "DSSEv1 " + std::to_string(payload_type.size()) + " ";
  text += payload_type;
  text += " " + std::to_string(payload.size()) + " ";
  text += payload;
  return text;
}

std::string Envelope::serialize() const {
  // The keys in sorted order; put together by hand because the payload is large.
  std::string text = R"({"payload":")" + base64_encode(payload) + R"(","payloadType":)";
  text += canonical_json(Json(payload_type));
  text += R"(,"signatures":[)";
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    if (i > 0) text += ',';
    text += R"({"keyid":)" + canonical_json(Json(signatures[i].keyid)) + R"(,"sig":")" +
            base64_encode(signatures[i].signature) + R"("})";
  }
  return text + "]}";
}

Envelope Envelope::parse(std::string_view bytes) {
  Envelope envelope;
  {
    const Json json =
        parse_json(bytes, kWhat, {.size = kMaxEnvelopeSize, .depth = 4, .values = 128});
    envelope.payload_type = json_string(json, "payloadType", kWhat);
    const auto payload = json.find("payload");
    if (payload == json.end() || !payload->is_string()) refuse("it has no payload");
    envelope.payload = base64_decode(payload->get_ref<const std::string&>(), "the payload");
    const auto& signatures = json_array(json, "signatures", kWhat);
    if (signatures.size() > kMaxSignatures) {
      refuse("more than " + std::to_string(kMaxSignatures) + " signatures");
    }
    for (const auto& signature : signatures) {
      envelope.signatures.push_back(
          {json_string(signature, "keyid", kWhat),
           base64_decode(json_string(signature, "sig", kWhat), "a signature")});
      if (!is_key_id(envelope.signatures.back().keyid)) refuse("a keyid is not a SHA-256 in hex");
    }
  }
  if (envelope.serialize() != bytes) refuse("it is not in its canonical form");
  return envelope;
}

void Envelope::sign(const PrivateKey& key) {
  signatures.push_back({key.public_key().id(), key.sign(pae(payload_type, payload))});
}

std::vector<PublicKey> Envelope::verify(const std::vector<PublicKey>& accepted) const {
  if (signatures.empty()) {
    throw Error(ExitCode::verification, "the bundle is not signed",
                "get a signed bundle; to use this one all the same, take its id from another "
                "channel: --allow-unsigned --bundle-id sha256:…");
  }
  const std::string message = pae(payload_type, payload);
  std::vector<PublicKey> held;
  std::vector<std::string> found;
  const auto by_id = [](const std::string& id) {
    return [&id](const PublicKey& key) { return key.id() == id; };
  };
  for (const auto& signature : signatures) {
    found.push_back(signature.keyid);
    const auto key = std::find_if(accepted.begin(), accepted.end(), by_id(signature.keyid));
    if (key == accepted.end()) continue;
    if (!key->verifies(message, signature.signature)) {
      throw Error(ExitCode::verification,
                  "the bundle names the trusted key " + key->fingerprint() +
                      ", but that key did not sign this content",
                  "the header was changed after signing: copy the bundle again, and do not use "
                  "this copy");
    }
    if (std::none_of(held.begin(), held.end(), by_id(key->id()))) held.push_back(*key);
  }
  if (held.empty()) {
    std::vector<std::string> wanted;
    wanted.reserve(accepted.size());
    for (const auto& key : accepted) wanted.push_back(key.id());
    throw Error(
        ExitCode::verification,
        "the bundle is signed by a key that is not trusted here: wanted " +
            (wanted.empty() ? "any trusted key (there is none)" : list_fingerprints(wanted)) +
            ", found " + list_fingerprints(found),
        "if its owner confirms the fingerprint found: --key FILE --key-fingerprint "
        "SHA256:…");
  }
  return held;
}

}  // namespace kbundle
