#include "registry/certificates.hpp"

#include <cstdlib>

#include "core/error.hpp"
#include "core/file.hpp"

namespace kbundle {

std::filesystem::path system_certificates() {
  if (const char* named = std::getenv("SSL_CERT_FILE"); named != nullptr && *named != '\0')
    return named;
  for (const char* place : {"/etc/ssl/certs/ca-certificates.crt",                 // Debian, Alpine
                            "/etc/pki/tls/certs/ca-bundle.crt",                   // RHEL 6-9
                            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // RHEL
                            "/etc/ssl/ca-bundle.pem",                             // SUSE
                            "/etc/ssl/cert.pem"}) {
    std::error_code ignored;
    if (std::filesystem::exists(place, ignored)) return place;
  }
  return {};
}

std::string certificates_with(const std::filesystem::path& extra) {
  const std::string own = read_file(extra);
  if (own.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
    throw Error(ExitCode::usage, extra.string() + " holds no certificate in PEM form",
                "convert it: openssl x509 -inform DER -in FILE -out FILE.pem");
  std::string all;
  if (const auto system = system_certificates(); !system.empty())
    all = read_file_if_exists(system).value_or("") + "\n";
  return all + own;
}

}  // namespace kbundle
