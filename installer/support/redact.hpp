// Secrets taken out of text that leaves the node.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kbundle {

/// `text` with "[redacted]" in place of: every word of `secrets`; the inside of PEM private keys;
/// the values behind client-key-data, token, certificateKey, password and their like, in YAML,
/// JSON, TOML and flags; bootstrap tokens ("abcdef.0123456789abcdef"); JSON web tokens ("eyJ…").
/// Whatever else it holds stays.
std::string redact(std::string_view text, const std::vector<std::string>& secrets = {});

/// The lines between BEGIN and END of each private key in a PEM text; what redact() must not let
/// out.
std::vector<std::string> private_key_lines(std::string_view pem);

}  // namespace kbundle
