#include "cli/install_flags.hpp"

#include "cli/trust_flags.hpp"

namespace kbundle::cli {

void add_install_flags(CLI::App& verb, InstallOptions& options) {
  verb.add_option("BUNDLE", options.bundle,
                  "the bundle; default: the only one in this folder or beside kbundle");
  verb.add_option_function<std::string>(
          "--role",
          [&options](const std::string& role) {
            if (role != "master" && role != "worker") {
              throw CLI::ValidationError("--role", "wanted master or worker, found " + role);
            }
            options.role =
                role == "master" ? InstallOptions::Role::master : InstallOptions::Role::worker;
          },
          "what this node becomes: master (the first, or with --join one more) or worker")
      ->type_name("{master,worker}")
      ->required();
  add_trust_flags(verb, options.trust);

  auto* node = verb.add_option_group("this node");
  node->add_option("--node-ip", options.node_ip,
                   "the address the cluster reaches this node at; needed when it has several; "
                   "dual-stack: two, with a comma");
  node->add_option("--node-name", options.node_name, "default: the host name");
  node->add_option(
          "--runtime", options.runtime,
          "containerd (the host's, or the bundle's), docker (from 1.24 on with the bundle's "
          "cri-dockerd), or none: the host's, and never install one")
      ->check(CLI::IsMember({"containerd", "docker", "none"}))
      ->capture_default_str();
  node->add_option("--cri-socket", options.cri_socket, "the container runtime's socket");
  node->add_option("--bin-dir", options.bin_dir,
                   "a folder for the programs, where /usr cannot be written (/opt/bin)");
  node->add_flag("--swapoff", options.swapoff, "turn swap off, and keep it off");
  node->add_flag("--fast-load", options.fast_load,
                 "unpack the images' layers here, sooner than the runtime does");
  node->add_flag("--restart-runtime", options.restart_runtime,
                 "restart a runtime that runs containers of others");
  node->add_flag("--keep-proxy", options.keep_proxy, "let kubeadm see the proxy variables");

  auto* cluster = verb.add_option_group("the cluster (master; kubeadm's own flags)");
  cluster->add_option("--control-plane-endpoint", options.control_plane_endpoint,
                      "HOST[:PORT] of a load balancer, or a name, before all masters");
  cluster->add_option("--vip", options.vip,
                      "without a load balancer: a free address of the masters' network,\nwhich "
                      "moves to a master that works");
  cluster->add_flag("--schedulable", options.schedulable, "ordinary pods may run on this master");
  cluster->add_option("--pod-network-cidr", options.pod_network_cidr, "default: the CNI's own");
  cluster->add_option("--service-cidr", options.service_cidr, "default: 10.96.0.0/12");
  cluster->add_option("--service-dns-domain", options.service_dns_domain, "default: cluster.local");
  cluster->add_option("--apiserver-cert-extra-sans", options.apiserver_cert_extra_sans,
                      "more names and addresses for the API's certificate, comma-separated");
  cluster->add_option("--image-repository", options.image_repository,
                      "also tag the images for this registry and let the cluster ask for those");
  cluster->add_option("--config", options.kubeadm_config,
                      "your own kubeadm documents (YAML), merged with kbundle's");

  auto* join = verb.add_option_group("joining (a worker, or a further master)");
  join->add_option("--join", options.join_ticket, "the join ticket of a master")->type_name("FILE");
  join->add_option("--join-endpoint", options.join_endpoint, "without a ticket: HOST:PORT");
  join->add_option("--token", options.token, "without a ticket: the bootstrap token");
  join->add_option("--discovery-token-ca-cert-hash", options.discovery_token_ca_cert_hash,
                   "without a ticket: sha256:...");
  join->add_option("--certificate-key", options.certificate_key,
                   "a master without a ticket: what the certificates are under");

  verb.add_option("--ignore-preflight-errors", options.ignore_preflight_errors,
                  "findings that shall not stop the install, by name, or all")
      ->delimiter(',')
      ->type_name("LIST");
  verb.add_option("--root", options.root, "the host's root folder")->capture_default_str();
}

}  // namespace kbundle::cli
