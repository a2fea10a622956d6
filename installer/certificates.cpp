#include "installer/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

#include "installer/external_etcd.hpp"
#include "installer/kubeadm_files.hpp"

namespace kbundle {
namespace {

using Kind = NodeCertificate::Kind;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

struct Place {
  const char* name;
  const char* file;
  Kind kind;
};

constexpr Place kPlaces[] = {
    {"admin.conf", "/etc/kubernetes/admin.conf", Kind::kubeconfig},
    {"super-admin.conf", "/etc/kubernetes/super-admin.conf", Kind::kubeconfig},
    {"apiserver", "/etc/kubernetes/pki/apiserver.crt", Kind::leaf},
    {"apiserver-etcd-client", "/etc/kubernetes/pki/apiserver-etcd-client.crt", Kind::leaf},
    {"apiserver-kubelet-client", "/etc/kubernetes/pki/apiserver-kubelet-client.crt", Kind::leaf},
    {"controller-manager.conf", "/etc/kubernetes/controller-manager.conf", Kind::kubeconfig},
    {"etcd-healthcheck-client", "/etc/kubernetes/pki/etcd/healthcheck-client.crt", Kind::leaf},
    {"etcd-peer", "/etc/kubernetes/pki/etcd/peer.crt", Kind::leaf},
    {"etcd-server", "/etc/kubernetes/pki/etcd/server.crt", Kind::leaf},
    {"front-proxy-client", "/etc/kubernetes/pki/front-proxy-client.crt", Kind::leaf},
    {"scheduler.conf", "/etc/kubernetes/scheduler.conf", Kind::kubeconfig},
    {"kubelet.conf", "/etc/kubernetes/kubelet.conf", Kind::kubelet},
    {"kubelet-server", "/var/lib/kubelet/pki/kubelet.crt", Kind::serving},
    {"ca", "/etc/kubernetes/pki/ca.crt", Kind::authority},
    {"etcd-ca", "/etc/kubernetes/pki/etcd/ca.crt", Kind::authority},
    {"front-proxy-ca", "/etc/kubernetes/pki/front-proxy-ca.crt", Kind::authority},
};

std::string text_of(const X509_NAME* name) {
  const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::optional<std::chrono::system_clock::time_point> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

}  // namespace

std::optional<CertificateFacts> read_certificate_facts(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                &X509_free);
  ERR_clear_error();
  if (!certificate) return std::nullopt;
  const auto not_before = time_of(X509_get0_notBefore(certificate.get()));
  const auto not_after = time_of(X509_get0_notAfter(certificate.get()));
  ERR_clear_error();
  if (!not_before || !not_after) return std::nullopt;
  return CertificateFacts{text_of(X509_get_subject_name(certificate.get())),
                          text_of(X509_get_issuer_name(certificate.get())), *not_before,
                          *not_after};
}

std::vector<NodeCertificate> node_certificates(const Host& host) {
  const auto external = external_etcd_of_node(host, Receipt::read(host));
  std::vector<NodeCertificate> result;
  if (external)
    for (const auto& [name, file] : {std::pair("external-etcd-client", &EtcdCredentials::cert_file),
                                     std::pair("external-etcd-ca", &EtcdCredentials::ca_file)})
      if (const std::string& path = external->credentials.*file; host.exists(path))
        result.push_back(
            {name, path, Kind::site, read_certificate_facts(host.read(path).value_or(""))});
  for (const Place& place : kPlaces) {
    if (!host.exists(place.file)) continue;
    if (external && std::string_view(place.name).find("etcd") != std::string_view::npos) continue;
    NodeCertificate certificate{place.name, place.file, place.kind, std::nullopt};
    const bool inside = place.kind == Kind::kubeconfig || place.kind == Kind::kubelet;
    certificate.facts = read_certificate_facts(inside ? kubeconfig_certificate(host, place.file)
                                                      : host.read(place.file).value_or(""));
    result.push_back(std::move(certificate));
  }
  return result;
}

long days_left(std::chrono::system_clock::time_point end,
               std::chrono::system_clock::time_point now) {
  return static_cast<long>(std::chrono::floor<std::chrono::days>(end - now).count());
}

const NodeCertificate* soonest(const std::vector<NodeCertificate>& certificates) {
  const NodeCertificate* first = nullptr;
  for (const NodeCertificate& certificate : certificates)
    if (certificate.facts &&
        (first == nullptr || certificate.facts->not_after < first->facts->not_after))
      first = &certificate;
  return first;
}

}  // namespace kbundle
