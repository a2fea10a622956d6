// Certificates with their keys, and kubeconfigs around them, made for a test.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "core/text.hpp"

namespace kbundle::test {

struct Credentials {
  std::string certificate, key;  ///< PEM
};

inline std::string text_in(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

/// Signed by itself, for "CN=me", ending in so many seconds.
inline Credentials make_credentials(const char* passphrase = nullptr, long seconds = 3600) {
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), seconds < 0 ? 2 * seconds : 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const std::string me = "me";
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(me.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key.get());
  REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  const Bio certificate_out(BIO_new(BIO_s_mem()), &BIO_free);
  const Bio key_out(BIO_new(BIO_s_mem()), &BIO_free);
  REQUIRE(PEM_write_bio_X509(certificate_out.get(), certificate.get()) == 1);
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(
              key_out.get(), key.get(), passphrase == nullptr ? nullptr : EVP_aes_128_cbc(),
              passphrase, passphrase == nullptr ? 0 : 4, nullptr, nullptr) == 1);
  return {text_in(certificate_out.get()), text_in(key_out.get())};
}

/// `user`: the lines under the user, four spaces deep.
inline std::string kubeconfig(const std::string& ca, const std::string& user) {
  return "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: " +
         base64_encode(ca) +
         "\n    server: https://10.0.0.5:6443\n  name: kubernetes\ncontexts:\n- context:\n    "
         "cluster: kubernetes\n    user: me\n  name: me@kubernetes\ncurrent-context: "
         "me@kubernetes\nkind: Config\npreferences: {}\nusers:\n- name: me\n  user:\n" +
         user;
}

inline std::string user_data(const Credentials& credentials) {
  return "    client-certificate-data: " + base64_encode(credentials.certificate) +
         "\n    client-key-data: " + base64_encode(credentials.key) + "\n";
}

}  // namespace kbundle::test
