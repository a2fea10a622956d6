#include "installer/kubeadm_files.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/ticket.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr const char* kPki = "/etc/kubernetes/pki/";
constexpr const char* kAuthorities[] = {"ca", "front-proxy-ca", "etcd/ca"};
constexpr const char* kLeaves[] = {"apiserver",
                                   "apiserver-kubelet-client",
                                   "apiserver-etcd-client",
                                   "front-proxy-client",
                                   "etcd/server",
                                   "etcd/peer",
                                   "etcd/healthcheck-client"};

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio bio_over(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

Certificate read_certificate(const std::string& pem) {
  const Bio bio = bio_over(pem);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
  ERR_clear_error();
  return certificate;
}

// A key under a passphrase is one that kubeadm cannot read; OpenSSL's own callback would ask.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

Key read_key(const std::string& pem) {
  const Bio bio = bio_over(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr), &EVP_PKEY_free);
  ERR_clear_error();
  return key;
}

bool match(const Certificate& certificate, const Key& key) {
  const bool result =
      certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return result;
}

// One pair; false when one of it is missing or broken (and noted).
void check_pair(const Host& host, const std::string& stem, bool authority, FilesState& state) {
  const std::string certificate_file = kPki + stem + ".crt";
  const std::string key_file = kPki + stem + ".key";
  const auto certificate_text = host.read(certificate_file);
  const auto key_text = host.read(key_file);
  const auto broken = [&](const std::string& file) {
    state.broken.push_back(file);
    state.ca_broken |= authority;
    if (authority) state.identity_broken.push_back(file);
  };
  const auto missing = [&](const std::string& file) {
    state.missing.push_back(file);
    if (authority) state.identity_missing.push_back(file);
  };
  Certificate certificate(nullptr, &X509_free);
  Key key(nullptr, &EVP_PKEY_free);
  if (!certificate_text) {
    missing(certificate_file);
  } else if (!(certificate = read_certificate(*certificate_text))) {
    broken(certificate_file);
  }
  if (!key_text) {
    missing(key_file);
  } else if (!(key = read_key(*key_text))) {
    broken(key_file);
  }
  if (!certificate || !key) return;
  if (!match(certificate, key)) {
    broken(certificate_file);
    broken(key_file);
  }
}

// Whether `leaf` was signed by `authority`'s key.
void check_signed(const Host& host, const std::string& leaf, const std::string& authority,
                  FilesState& state) {
  const std::string file = kPki + leaf + ".crt";
  const auto leaf_text = host.read(file);
  const auto authority_text = host.read(kPki + authority + ".crt");
  if (!leaf_text || !authority_text) return;
  const auto certificate = read_certificate(*leaf_text);
  const auto issuer = read_certificate(*authority_text);
  if (!certificate || !issuer) return;
  if (X509_verify(certificate.get(), X509_get0_pubkey(issuer.get())) != 1) {
    ERR_clear_error();
    state.broken.push_back(file);
    state.broken.push_back(kPki + leaf + ".key");
  }
}

std::vector<Json> documents_or_none(const std::string& text, const std::string& file) {
  try {
    return yaml_documents(text, file);
  } catch (const Error&) {
    return {};  // cut in the middle: not YAML
  }
}

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

struct Kubeconfig {
  Json cluster, user;
};

// kubeadm and the kubelet end the file with a line's end, after the user's last value.
std::optional<Kubeconfig> parse_kubeconfig(const std::string& text, const std::string& file) {
  if (!text.ends_with("\n")) return std::nullopt;
  const auto documents = documents_or_none(text, file);
  if (documents.size() != 1) return std::nullopt;
  const Json& config = documents.front();
  for (const char* list : {"clusters", "contexts", "users"}) {
    const Json* items = member(config, list);
    if (items == nullptr || !items->is_array() || items->empty()) return std::nullopt;
  }
  const Json* cluster = member(config["clusters"][0], "cluster");
  const Json* user = member(config["users"][0], "user");
  if (cluster == nullptr || user == nullptr || !user->is_object() || user->empty())
    return std::nullopt;
  return Kubeconfig{*cluster, *user};
}

// The PEM text that a user's `name` points to: within the file, or in one of its own.
std::string credential(const Host& host, const Json& user, const std::string& name) {
  try {
    if (const Json* data = member(user, (name + "-data").c_str()))
      return data->is_string() ? base64_decode(data->get<std::string>(), name) : std::string();
    const Json* path = member(user, name.c_str());
    if (path == nullptr || !path->is_string()) return {};
    const std::string file = path->get<std::string>();
    return file.starts_with("/") ? host.read(file).value_or("") : std::string();
  } catch (const Error&) {
    return {};  // cut, or no file that can be read
  }
}

// `ca_base64`: nullptr when any CA will do.
bool good_kubeconfig(const Host& host, const std::string& text, const std::string& file,
                     const std::string* ca_base64) {
  const auto config = parse_kubeconfig(text, file);
  if (!config) return false;
  if (!match(read_certificate(credential(host, config->user, "client-certificate")),
             read_key(credential(host, config->user, "client-key"))))
    return false;
  const Json* authority = member(config->cluster, "certificate-authority-data");
  if (authority == nullptr || ca_base64 == nullptr) return true;
  return authority->is_string() && authority->get<std::string>() == *ca_base64;
}

// kubeadm writes the volumes last: when every mounted one is there, the file was not cut.
bool whole_pod(const Json& pod) {
  if (!pod.is_object() || pod.value("kind", Json()) != Json("Pod")) return false;
  const Json* spec = member(pod, "spec");
  const Json* containers = spec == nullptr ? nullptr : member(*spec, "containers");
  if (containers == nullptr || !containers->is_array() || containers->empty()) return false;
  std::set<std::string> volumes;
  if (const Json* list = member(*spec, "volumes"); list != nullptr && list->is_array())
    for (const Json& volume : *list)
      if (const Json* source = member(volume, "hostPath");
          source != nullptr && member(*source, "path") != nullptr)
        volumes.insert(volume.value("name", ""));
  if (volumes.empty()) return false;  // each of kubeadm's static pods mounts something
  for (const Json& container : *containers) {
    if (member(container, "image") == nullptr) return false;
    const Json* mounts = member(container, "volumeMounts");
    if (mounts == nullptr || !mounts->is_array()) continue;
    for (const Json& mount : *mounts)
      if (mount.is_object() && !volumes.contains(mount.value("name", ""))) return false;
  }
  return true;
}

// sa.key and sa.pub, which every master of a cluster has alike.
void check_service_account(const Host& host, FilesState& state) {
  const std::string key_file = std::string(kPki) + "sa.key";
  const std::string public_file = std::string(kPki) + "sa.pub";
  const auto key = host.read(key_file);
  const auto published = host.read(public_file);
  if (!key) {
    state.missing.push_back(key_file);
    state.identity_missing.push_back(key_file);
  }
  if (!published) state.missing.push_back(public_file);
  const auto expected = service_account_public_key(host);
  if (key && !expected) {
    state.broken.push_back(key_file);
    state.identity_broken.push_back(key_file);
  }
  if (published) {
    const Bio bio = bio_over(*published);
    const Key parsed(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
    if (!parsed || (expected && trim(*expected) != trim(*published)))
      state.broken.push_back(public_file);
  }
  ERR_clear_error();
}

}  // namespace

std::vector<std::string> with_other_halves(const std::vector<std::string>& files) {
  std::vector<std::string> result = files;
  for (const std::string& file : files) {
    for (const char* leaf : kLeaves) {
      const std::string stem = std::string(kPki) + leaf;
      if (file == stem + ".crt") result.push_back(stem + ".key");
      if (file == stem + ".key") result.push_back(stem + ".crt");
    }
  }
  return result;
}

std::optional<std::string> service_account_public_key(const Host& host) {
  const auto text = host.read(std::string(kPki) + "sa.key");
  const Key key = text ? read_key(*text) : Key(nullptr, &EVP_PKEY_free);
  const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
  if (!key || !out || PEM_write_bio_PUBKEY(out.get(), key.get()) != 1) return std::nullopt;
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out.get(), &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

std::vector<std::string> leaf_certificate_files() {
  std::vector<std::string> result;
  for (const char* leaf : kLeaves) {
    result.push_back(std::string(kPki) + leaf + ".crt");
    result.push_back(std::string(kPki) + leaf + ".key");
  }
  return result;
}

FilesState check_certificates(const Host& host, bool external_etcd) {
  FilesState state;
  const auto left_out = [&](std::string_view stem) {
    return external_etcd && stem.find("etcd") != std::string_view::npos;
  };
  for (const char* authority : kAuthorities)
    if (!left_out(authority)) check_pair(host, authority, true, state);
  for (const char* leaf : kLeaves)
    if (!left_out(leaf)) check_pair(host, leaf, false, state);
  if (state.broken.empty()) {
    for (const char* leaf : {"apiserver", "apiserver-kubelet-client"})
      check_signed(host, leaf, "ca", state);
    check_signed(host, "front-proxy-client", "front-proxy-ca", state);
    for (const char* leaf :
         {"etcd/server", "etcd/peer", "etcd/healthcheck-client", "apiserver-etcd-client"})
      if (!external_etcd) check_signed(host, leaf, "etcd/ca", state);
  }
  check_service_account(host, state);
  return state;
}

FilesState check_shared_certificates(const Host& host, const std::string& ca_hash,
                                     bool external_etcd) {
  FilesState state;
  for (const char* authority : kAuthorities)
    if (!external_etcd || std::string_view(authority) != "etcd/ca")
      check_pair(host, authority, true, state);
  check_service_account(host, state);
  const std::string file = std::string(kPki) + "ca.crt";
  const auto text = host.read(file);
  if (text && read_certificate(*text) && !ca_hash.empty() && ca_cert_hash(*text) != ca_hash) {
    state.broken.push_back(file);
    state.identity_broken.push_back(file);
    state.ca_broken = true;
  }
  return state;
}

FilesState check_kubeconfigs(const Host& host, const std::vector<std::string>& names) {
  FilesState state;
  const std::string ca_base64 = base64_encode(host.read(std::string(kPki) + "ca.crt").value_or(""));
  for (const std::string& name : names) {
    const std::string file = "/etc/kubernetes/" + name + ".conf";
    const auto text = host.read(file);
    if (!text) {
      state.missing.push_back(file);
    } else if (!good_kubeconfig(host, *text, file, &ca_base64)) {
      state.broken.push_back(file);
    }
  }
  return state;
}

FilesState check_kubeconfigs(const Host& host, bool super_admin) {
  std::vector<std::string> names = {"admin", "kubelet", "controller-manager", "scheduler"};
  if (super_admin) names.emplace_back("super-admin");
  return check_kubeconfigs(host, names);
}

FilesState check_manifests(const Host& host, const std::vector<std::string>& names) {
  FilesState state;
  for (const std::string& name : names) {
    const std::string file = "/etc/kubernetes/manifests/" + name + ".yaml";
    const auto text = host.read(file);
    if (!text) {
      state.missing.push_back(file);
      continue;
    }
    const auto documents = documents_or_none(*text, file);
    const bool good = text->ends_with("\n") && documents.size() == 1 && whole_pod(documents[0]);
    if (!good) state.broken.push_back(file);
  }
  return state;
}

FilesState check_kubelet_files(const Host& host) {
  FilesState state;
  const std::string config = "/var/lib/kubelet/config.yaml";
  const std::string flags = "/var/lib/kubelet/kubeadm-flags.env";
  if (const auto text = host.read(config); !text) {
    state.missing.push_back(config);
  } else {
    const auto documents = documents_or_none(*text, config);
    const bool good = documents.size() == 1 && documents[0].is_object() &&
                      documents[0].value("kind", Json()) == Json("KubeletConfiguration") &&
                      text->ends_with("\n");
    if (!good) state.broken.push_back(config);
  }
  if (const auto text = host.read(flags); !text) {
    state.missing.push_back(flags);
  } else if (!trim(*text).starts_with("KUBELET_KUBEADM_ARGS=\"") || !trim(*text).ends_with("\"")) {
    state.broken.push_back(flags);
  }
  return state;
}

FilesState check_worker(const Host& host, const std::string& ca_hash) {
  FilesState state = check_kubelet_files(host);
  const std::string credentials = "/etc/kubernetes/kubelet.conf";
  if (const auto text = host.read(credentials); !text) {
    state.missing.push_back(credentials);
  } else if (!good_kubeconfig(host, *text, credentials, nullptr)) {
    state.broken.push_back(credentials);
  }
  const std::string authority = std::string(kPki) + "ca.crt";
  if (const auto text = host.read(authority)) {
    const bool good =
        read_certificate(*text) && (ca_hash.empty() || ca_cert_hash(*text) == ca_hash);
    if (!good) state.broken.push_back(authority);
  }
  return state;
}

std::optional<std::string> kubeconfig_token(const Host& host, const std::string& file) {
  const auto text = host.read(file);
  const auto config = text ? parse_kubeconfig(*text, file) : std::nullopt;
  const Json* token = config ? member(config->user, "token") : nullptr;
  if (token == nullptr || !token->is_string()) return std::nullopt;
  return token->get<std::string>();
}

std::string kubeconfig_certificate(const Host& host, const std::string& file) {
  const auto text = host.read(file);
  const auto config = text ? parse_kubeconfig(*text, file) : std::nullopt;
  return config ? credential(host, config->user, "client-certificate") : std::string();
}

}  // namespace kbundle
