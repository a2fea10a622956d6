#include "installer/new_ticket.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/lock.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/external_etcd.hpp"
#include "installer/join_secrets.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/receipt.hpp"
#include "installer/yaml_json.hpp"
#include "manifests/catalog.hpp"

namespace kbundle {
namespace {

// kubeadm's configuration for the upload; on a tmpfs, and gone at the end, as it holds the key.
constexpr const char* kUploadConfig = "/run/kbundle/upload-certs.yaml";

class Master {
 public:
  explicit Master(const Host& host) : host_(host) {
    const auto receipt = Receipt::read(host);
    if (!receipt)
      throw Error(
          ExitCode::preflight,
          "this host was not installed by kbundle: there is no " + std::string(node_path::receipt),
          "run `kbundle ticket` on a master");
    if (!receipt->master())
      throw Error(ExitCode::preflight, "this node is a worker, and tickets are made by masters",
                  "run `kbundle ticket` on a master");
    receipt_ = *receipt;
  }

  const Receipt& receipt() const { return receipt_; }

  // Only what the bundle brought is run.
  std::string program(const std::string& component) const {
    for (const Receipt::File& file : receipt_.files)
      if (file.component == component && host_.digest(file.path) == file.digest) return file.path;
    throw Error(ExitCode::phase, "the bundle's " + component + " is no longer on this node",
                "kbundle status says what differs; kbundle install puts it back");
  }

  CommandResult kubectl(const std::vector<std::string>& arguments,
                        std::optional<std::string> input = {}) const {
    constexpr const char* cache = "/run/kbundle/kubectl";
    Command command;
    command.argv = {program("kubectl"), "--kubeconfig", node_path::admin_config,
                    "--request-timeout=20s", std::string("--cache-dir=") + cache};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment["HOME"] = cache;
    command.timeout = std::chrono::seconds(60);
    command.input = std::move(input);
    return host_.run(std::move(command));
  }

  void upload_certificates(const std::string& key) const {
    const auto cluster = kubectl({"-n", "kube-system", "get", "configmap", "kubeadm-config", "-o",
                                  "jsonpath={.data.ClusterConfiguration}"});
    if (!cluster.ok() || trim(cluster.output).empty())
      throw Error(ExitCode::phase,
                  "the cluster's configuration cannot be read: " + printable(trim(cluster.errors)));
    const auto facts = Catalog::builtin().facts(receipt_.kubernetes_version);
    const Json init = {
        {"apiVersion", facts.kubeadm_api},
        {"kind", "InitConfiguration"},
        {"certificateKey", key},
        {"localAPIEndpoint", {{"advertiseAddress", receipt_.node_ip}, {"bindPort", 6443}}},
        {"nodeRegistration",
         {{"name", receipt_.node_name},
          {"criSocket", facts.cri_socket_prefix + receipt_.cri_socket}}}};
    struct Removal {
      const Host& host;
      ~Removal() {
        std::error_code ignored;
        std::filesystem::remove(host.at(kUploadConfig), ignored);
      }
    } const removal{host_};
    host_.write(kUploadConfig, to_yaml(init) + "---\n" + cluster.output + "\n", 0600);
    host_.run_checked({.argv = {program("kubeadm"), "init", "phase", "upload-certs",
                                "--upload-certs", "--config", kUploadConfig}});
  }

 private:
  const Host& host_;
  Receipt receipt_;
};

void say(const JoinTicket& ticket, const std::string& file, std::ostream& out) {
  out << "join ticket: " << file << " (a secret)\n"
      << "workers may join with it until " << ticket.expires << "\n";
  if (ticket.certificate_key.empty()) {
    out << "for masters as well: kbundle ticket --masters\n";
  } else {
    out << "masters may join with it until "
        << std::min(ticket.certificate_key_expires, ticket.expires) << "\n";
  }
}

}  // namespace

void new_ticket(const NewTicketOptions& options, Progress& progress, std::ostream& out) {
  const Host host;
  const auto life = parse_duration(options.ttl, "--ttl");
  if (!host.is_root())
    throw Error(ExitCode::preflight,
                "a ticket is made with the administrator's credentials, "
                "which take root",
                "run it with sudo");
  const ProcessLock lock(host.at(node_path::lock), true);
  const Master master(host);
  const Receipt& receipt = master.receipt();

  JoinTicket ticket;
  ticket.endpoint = receipt.api_endpoint;
  ticket.ca_cert_hash = ca_cert_hash(host.read("/etc/kubernetes/pki/ca.crt").value_or(""));
  ticket.kubernetes_version = receipt.kubernetes_version;
  ticket.bundle = receipt.bundle;
  ticket.vip = receipt.vip;
  ticket.external_etcd = receipt.external_etcd;
  if (const auto etcd = external_etcd_of_node(host, receipt))
    ticket.external_etcd_files = etcd->files();
  ticket.token = generate_token();
  const auto now = std::chrono::system_clock::now();
  ticket.created = rfc3339(now);
  ticket.expires = rfc3339(now + life);

  auto task = progress.start("new bootstrap token");
  const auto made =
      master.kubectl({"create", "-f", "-"}, bootstrap_token_secret(ticket.token, now + life));
  if (!made.ok())
    throw Error(ExitCode::phase,
                "the cluster did not take the token: " + printable(trim(made.errors)),
                "see that the API server at " + receipt.api_endpoint + " answers");
  task->done();
  if (options.masters) {
    auto upload = progress.start("upload the certificates");
    ticket.certificate_key = generate_certificate_key();
    master.upload_certificates(ticket.certificate_key);
    const auto kubectl = [&](const std::vector<std::string>& words) {
      return master.kubectl(words);
    };
    ticket.certificate_key_expires =
        rfc3339(certificate_key_end(kubectl).value_or(now + kCertificateKeyLife));
    upload->done();
  }
  if (options.output == "-") {
    out << ticket.serialize();
    return;
  }
  AtomicFile file(options.output, 0600);
  file.write(ticket.serialize());
  file.commit();
  say(ticket, options.output, out);
}

}  // namespace kbundle
