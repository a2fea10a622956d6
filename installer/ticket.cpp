#include "installer/ticket.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "installer/network.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kTicketLimit = 64U << 10U;

bool token_shape(const std::string& token) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (token.size() != 23 || token[6] != '.') return false;
  for (std::size_t i = 0; i < token.size(); ++i)
    if (i != 6 && !good(token[i])) return false;
  return true;
}

bool endpoint_shape(const std::string& endpoint) {
  const auto colon = endpoint.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  const auto port = endpoint.substr(colon + 1);
  return !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         std::all_of(endpoint.begin(), endpoint.end(),
                     [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

}  // namespace

void validate(const JoinTicket& ticket, const std::string& what) {
  const std::string hint = "use the join ticket that `kbundle install --role master` wrote";
  if (!endpoint_shape(ticket.endpoint))
    throw Error(
        ExitCode::usage,
        what + ": the endpoint must be HOST:PORT, not \"" + printable(ticket.endpoint) + "\"",
        hint);
  if (!token_shape(ticket.token))
    throw Error(ExitCode::usage, what + ": the token must have the form abcdef.0123456789abcdef",
                hint);
  try {
    if (Digest::parse(ticket.ca_cert_hash).algorithm() != "sha256")
      throw Error(ExitCode::usage, "not SHA-256");
  } catch (const Error&) {
    throw Error(ExitCode::usage,
                what + ": the CA certificate's hash must be sha256:<64 hex digits>, not \"" +
                    printable(ticket.ca_cert_hash) + "\"",
                hint);
  }
  const std::string& key = ticket.certificate_key;
  const bool hex = std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (!key.empty() && (key.size() != 64 || !hex))
    throw Error(ExitCode::usage, what + ": the certificate key must be 64 hex digits", hint);
  if (!ticket.vip.empty() && !is_ip_address(ticket.vip))
    throw Error(ExitCode::usage,
                what + ": vip must be an IP address, not \"" + printable(ticket.vip) + "\"", hint);
}

std::string JoinTicket::serialize() const {
  Json json = {{"endpoint", endpoint},
               {"token", token},
               {"ca_cert_hash", ca_cert_hash},
               {"kubernetes_version", kubernetes_version},
               {"bundle", bundle},
               {"created", created},
               {"expires", expires}};
  if (!certificate_key.empty()) json["certificate_key"] = certificate_key;
  if (!certificate_key_expires.empty()) json["certificate_key_expires"] = certificate_key_expires;
  if (!vip.empty()) json["vip"] = vip;
  if (external_etcd) json["external_etcd"] = true;
  if (!external_etcd_files.empty()) json["external_etcd_files"] = external_etcd_files;
  return json.dump(2) + "\n";
}

JoinTicket JoinTicket::parse(std::string_view text, const std::string& what) {
  JoinTicket ticket;
  try {
    const Json json = parse_json(text, what, {.size = kTicketLimit, .depth = 4, .values = 100});
    ticket.endpoint = json_string(json, "endpoint", what);
    ticket.token = json_string(json, "token", what);
    ticket.ca_cert_hash = json_string(json, "ca_cert_hash", what);
    ticket.kubernetes_version = json_string(json, "kubernetes_version", what);
    ticket.bundle = json_string(json, "bundle", what);
    ticket.created = json_string(json, "created", what);
    ticket.expires = json_string(json, "expires", what);
    const auto optional = [&](const char* key) {
      return json.contains(key) ? json_string(json, key, what) : std::string();
    };
    ticket.certificate_key = optional("certificate_key");
    ticket.certificate_key_expires = optional("certificate_key_expires");
    ticket.vip = optional("vip");
    ticket.external_etcd = json.contains("external_etcd") && json["external_etcd"] == Json(true);
    if (json.contains("external_etcd_files"))
      for (const Json& file : json_array(json, "external_etcd_files", what)) {
        if (!file.is_string() || !file.get<std::string>().starts_with('/'))
          throw Error(ExitCode::usage, what + ": external_etcd_files is no list of absolute paths");
        ticket.external_etcd_files.push_back(file.get<std::string>());
      }
    if (!ticket.certificate_key_expires.empty())
      (void)parse_rfc3339(ticket.certificate_key_expires, what);
    (void)parse_rfc3339(ticket.created, what);
    (void)parse_rfc3339(ticket.expires, what);
  } catch (const Error& error) {
    throw Error(ExitCode::usage, error.message(),
                "use the join ticket that `kbundle install --role master` wrote");
  }
  validate(ticket, what);
  return ticket;
}

JoinTicket JoinTicket::read(const std::filesystem::path& file) {
  return parse(read_file(file, kTicketLimit), file.string());
}

std::string ca_cert_hash(std::string_view ca_pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size())), &BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
  if (!certificate) throw Error(ExitCode::phase, "the cluster's CA certificate cannot be read");
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &der);
  if (size <= 0) throw Error(ExitCode::phase, "the CA certificate's public key cannot be read");
  const std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return sha256(bytes).str();
}

}  // namespace kbundle
