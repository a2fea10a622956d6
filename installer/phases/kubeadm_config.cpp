// The one kubeadm configuration of this node, made once and kept: random values in it (the token,
// the certificate key) must be the same at every kubeadm call.
#include "installer/kubeadm_config.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/kubeadm_files.hpp"
#include "installer/phases/phases.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

class KubeadmConfigPhase final : public Phase {
 public:
  explicit KubeadmConfigPhase(Context& context)
      : Phase("kubeadm-config", "kubeadm's configuration", std::chrono::minutes(1)),
        context_(context),
        host_(context.host) {}

  PhaseCheck check() override {
    (void)render("abcdef.0123456789abcdef", std::string(64, '0'));  // contradictions show here
    std::vector<std::string> actions;
    if (!kept()) actions.push_back(std::string("write ") + node_path::kubeadm_config + " (0600)");
    if (resolver_differs()) actions.push_back("write " + context_.resolver.path);
    if (actions.empty())
      return PhaseCheck::done(std::string(node_path::kubeadm_config) + " is kept");
    return PhaseCheck::todo("resolver: " + context_.resolver.reason, actions);
  }

  void apply() override {
    if (resolver_differs()) host_.write(context_.resolver.path, context_.resolver.content);
    if (kept()) return;
    // What an earlier run drew stays: certificates and tokens may have been made with it.
    KeptSecrets secrets = earlier_secrets();
    if (secrets.token.empty()) secrets.token = generate_token();
    if (secrets.certificate_key.empty()) secrets.certificate_key = generate_certificate_key();
    make_folders(host_.at(node_path::state), 0700);
    host_.write(node_path::kubeadm_config, render(secrets.token, secrets.certificate_key), 0600);
  }

 private:
  bool resolver_differs() const {
    return context_.resolver.own_file &&
           host_.read(context_.resolver.path) != context_.resolver.content;
  }

  KeptSecrets earlier_secrets() const {
    const auto text = host_.read(node_path::kubeadm_config);
    if (!text) return {};
    try {
      return kept_secrets(*text);
    } catch (const Error&) {
      return {};
    }
  }

  // The kept file is right when it is what would be made now with the secrets it holds. Once the
  // cluster was begun or the node has joined, it stays as it is; until then a worker may get a new
  // ticket for one that expired.
  bool kept() const {
    const auto text = host_.read(node_path::kubeadm_config);
    if (!text) return false;
    const auto secrets = earlier_secrets();
    if (context_.initializes() && (secrets.token.empty() || secrets.certificate_key.empty()))
      return false;
    if (context_.initializes() ? context_.journal_ended("certs/all") : joined()) return true;
    return render(secrets.token, secrets.certificate_key) == *text;
  }

  // Each of a joining master's phases asks the cluster with the ticket's token.
  bool joined() const {
    if (context_.master() && !context_.join_is_over()) return false;
    return check_worker(host_, context_.ticket ? context_.ticket->ca_cert_hash : std::string())
        .good();
  }

  std::string render(const std::string& token, const std::string& certificate_key) const {
    KubeadmInputs inputs(context_.facts);
    inputs.joins = context_.joins();
    inputs.master = context_.master();
    inputs.schedulable = context_.options.schedulable;
    inputs.node_ip = context_.network.node_ip;
    inputs.kubelet_node_ip = context_.network.kubelet_node_ip();
    inputs.volume_plugin_dir = context_.volume_plugin_dir;
    inputs.node_name = context_.node_name;
    inputs.cri_socket = context_.facts.cri_socket_prefix + context_.runtime->cri_socket();
    inputs.cgroup_driver = context_.runtime->cgroup_driver();
    inputs.resolv_conf = context_.resolver.path;
    inputs.fail_swap_on = !context_.swap_tolerated;
    // From 1.23 on the kubelet heeds what the runtime says of an image (CRI's `pinned`).
    inputs.never_collect_images =
        context_.facts.version.minor < 23 || !context_.runtime->tells_of_pins();
    inputs.control_plane_endpoint = context_.api_endpoint();
    inputs.endpoint_wanted =
        !context_.options.control_plane_endpoint.empty() || !context_.vip.empty();
    inputs.pod_subnet = context_.pod_subnet;
    inputs.service_subnet = context_.service_subnet;
    inputs.dns_domain = context_.dns_domain;
    for (const std::string& name : split(context_.options.apiserver_cert_extra_sans, ','))
      if (!trim(name).empty()) inputs.cert_sans.emplace_back(trim(name));
    if (!context_.vip.empty()) inputs.cert_sans.push_back(context_.vip);
    inputs.image_repository = context_.image_repository.empty() ? context_.facts.image_repository
                                                                : context_.image_repository;
    inputs.token = token;
    inputs.certificate_key = certificate_key;
    if (context_.ticket) inputs.ticket = *context_.ticket;
    inputs.user_documents = context_.user_documents;
    return render_kubeadm_config(inputs);
  }

  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_kubeadm_config_phase(Context& context) {
  return std::make_unique<KubeadmConfigPhase>(context);
}

}  // namespace kbundle
