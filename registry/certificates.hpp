// Which certificate authorities are trusted.
#pragma once

#include <filesystem>
#include <string>

namespace kbundle {

/// The system's bundle in the places where distributions keep it ($SSL_CERT_FILE first); empty
/// when there is none. libcurl's own default is the build machine's place only.
std::filesystem::path system_certificates();

/// The system's certificates and those in `extra` (PEM), in one text. Error{usage} when `extra`
/// cannot be read or holds no certificate.
std::string certificates_with(const std::filesystem::path& extra);

}  // namespace kbundle
