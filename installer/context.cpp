#include "installer/context.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "installer/bin_dir.hpp"
#include "installer/external_etcd.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/mounts.hpp"
#include "installer/yaml_json.hpp"
#include "registry/reference.hpp"

namespace kbundle {
namespace {

constexpr int kApiPort = 6443;
// Control-plane images: a worker never runs them.
constexpr const char* kMasterOnly[] = {"kube-apiserver", "kube-controller-manager",
                                       "kube-scheduler", "etcd"};
// kubectl keeps what it learns of the API here, not in root's home; a dry run keeps nothing.
constexpr const char* kKubectlCache = "/run/kbundle/kubectl";
constexpr const char* kNowhere = "/proc/self/nonexistent";

std::string text_at(const Json& document, const char* outer, const char* inner) {
  if (!document.contains(outer) || !document[outer].is_object()) return {};
  const Json& object = document[outer];
  return object.contains(inner) && object[inner].is_string() ? object[inner].get<std::string>()
                                                             : std::string();
}

// The option's value, or the document's. Where both differ, rendering names the contradiction.
std::string first_of(const std::string& option, const std::string& document) {
  return option.empty() ? document : option;
}

JoinTicket ticket_from(const InstallOptions& options) {
  JoinTicket ticket;
  const std::string given = options.join_ticket.string();
  const bool is_endpoint = !given.empty() && !std::filesystem::exists(options.join_ticket) &&
                           given.find('/') == std::string::npos &&
                           given.find(':') != std::string::npos;
  if (is_endpoint) {
    ticket.endpoint = given;
  } else if (!given.empty()) {
    ticket = JoinTicket::read(options.join_ticket);
  } else if (options.join_endpoint.empty()) {
    throw Error(ExitCode::usage, "a worker needs to know which cluster to join",
                "give --join FILE with the join ticket of a master (`kbundle ticket` makes a new "
                "one), or --join HOST:PORT --token … --discovery-token-ca-cert-hash sha256:…");
  } else {
    ticket.endpoint = options.join_endpoint;
  }
  if (!options.token.empty()) ticket.token = options.token;
  if (!options.discovery_token_ca_cert_hash.empty())
    ticket.ca_cert_hash = options.discovery_token_ca_cert_hash;
  if (!options.certificate_key.empty()) ticket.certificate_key = options.certificate_key;
  const std::string what = given.empty() || is_endpoint ? "--join" : given;
  validate(ticket, what);
  if (options.role == InstallOptions::Role::master && ticket.certificate_key.empty())
    throw Error(ExitCode::usage,
                what + ": joining as a master takes the certificate key, and there is none",
                "on a master: kbundle ticket --masters -o join-ticket.json; copy that ticket");
  return ticket;
}

bool wants_to_join(const InstallOptions& options) {
  return options.role == InstallOptions::Role::worker || !options.join_ticket.empty() ||
         !options.join_endpoint.empty();
}

// The address that moves between the masters: the option's, or the ticket's.
std::string settle_vip(const Context& context) {
  const std::string& given = context.options.vip;
  const std::string told = context.ticket ? context.ticket->vip : std::string();
  if (!context.master()) {
    if (!given.empty()) throw Error(ExitCode::usage, "--vip belongs to --role master");
    return {};
  }
  if (!given.empty() && !is_ip_address(given))
    throw Error(ExitCode::usage, "--vip must be an IP address, not \"" + printable(given) + "\"");
  if (!given.empty() && !told.empty() && given != told)
    throw Error(ExitCode::usage,
                "--vip is " + given + ", but the cluster's is " + told + " (the join ticket says)",
                "leave --vip out");
  return first_of(given, told);
}

void check_vip(const Context& context) {
  // A node that stands has the image already.
  if (context.vip.empty() || context.options.joined) return;
  const auto& images = context.inventory.images;
  const bool held = std::any_of(images.begin(), images.end(), [&](const ImageRecord& image) {
    return !image.names.empty() && image.names.front() == context.facts.keepalived_image;
  });
  if (!held)
    throw Error(ExitCode::usage,
                "the bundle has no " + context.facts.keepalived_image + ", which holds --vip",
                "build one without `--without keepalived`, or give --control-plane-endpoint with "
                "the address of a load balancer of your own");
}

void check_addresses(const Context& context) {
  const auto wants_cidrs = [](const std::string& list, const char* what) {
    if (list.empty()) return;
    for (const std::string& part : split(list, ','))
      if (!is_cidr(part))
        throw Error(ExitCode::usage, std::string(what) +
                                         " must be a network like 10.96.0.0/12, not \"" +
                                         printable(part) + "\"");
  };
  wants_cidrs(context.pod_subnet, "--pod-network-cidr");
  wants_cidrs(context.service_subnet, "--service-cidr");
  const NodeNetwork& network = context.network;
  for (const std::string& address : {network.node_ip, network.second_node_ip})
    if (!address.empty() && !is_ip_address(address))
      throw Error(ExitCode::usage,
                  "--node-ip must be an IP address, or one of IPv4 and one of IPv6 "
                  "with a comma, not \"" +
                      printable(address) + "\"");
  if (network.second_node_ip.empty()) return;
  if (network.v6() == (network.second_node_ip.find(':') != std::string::npos))
    throw Error(ExitCode::usage, "--node-ip takes two addresses only of IPv4 and IPv6, not " +
                                     network.kubelet_node_ip());
  if (context.facts.version < *Version::parse("v1.20.0"))
    throw Error(ExitCode::usage,
                "--node-ip takes one address with Kubernetes " + context.facts.version.str(),
                "two are understood from 1.20 on");
}

}  // namespace

std::string Context::program(const std::string& component) const {
  const FileRecord* file = inventory.find_file(component, platform);
  return file != nullptr ? file->path : relocated("/usr/bin/" + component, bin_dir);
}

bool Context::has_program(const std::string& component) const {
  const FileRecord* file = inventory.find_file(component, platform);
  return file != nullptr && host.digest(file->path) == file->digest;
}

std::string Context::renamed(const std::string& upstream) const {
  if (image_repository.empty()) return upstream;
  for (const auto& [from, to] : facts.retagged(image_repository))
    if (from == upstream) return to;
  const Reference reference = Reference::parse(upstream);
  const auto slash = reference.repository().rfind('/');
  const std::string last = slash == std::string::npos ? reference.repository()
                                                      : reference.repository().substr(slash + 1);
  return image_repository + "/" + last + (reference.tag().empty() ? "" : ":" + reference.tag());
}

std::string Context::pause_image() const {
  return renamed(facts.pause_image);
}

std::vector<std::string> Context::names_on_node(const ImageRecord& image) const {
  std::vector<std::string> names = image.names;
  if (!image_repository.empty()) {
    const std::string extra = renamed(image.names.at(0));
    if (std::find(names.begin(), names.end(), extra) == names.end()) names.push_back(extra);
  }
  return names;
}

std::vector<const ImageRecord*> Context::images_for_role() const {
  std::vector<const ImageRecord*> result;
  for (const ImageRecord& image : inventory.images) {
    const bool here =
        std::any_of(image.platforms.begin(), image.platforms.end(),
                    [&](const ImagePlatform& p) { return platform.accepts(p.platform); });
    if (!here || image.names.empty()) continue;
    if (runs_image(image, options.role)) result.push_back(&image);
  }
  return result;
}

bool Context::runs_image(const ImageRecord& image, InstallOptions::Role role) const {
  const std::string& name = image.names.at(0);
  const bool on_master = role == InstallOptions::Role::master;
  if (name == facts.keepalived_image) return on_master && !vip.empty();
  if (std::find(facts.images.begin(), facts.images.end(), name) == facts.images.end()) return true;
  const std::string repository = Reference::parse(name).repository();
  if (external_etcd && repository == "etcd") return false;
  return on_master || std::find(std::begin(kMasterOnly), std::end(kMasterOnly), repository) ==
                          std::end(kMasterOnly);
}

const std::vector<KubeadmPhase>& Context::kubeadm_phases() const {
  if (initializes()) return facts.init_phases;
  return master() ? facts.join_master_phases : facts.join_worker_phases;
}

bool Context::join_is_over() const {
  if (!joins() || journal == nullptr) return false;
  return journal->complete() || journal->ended(kubeadm_phases().back().id());
}

std::vector<std::string> Context::static_pods() const {
  std::vector<std::string> pods = {"kube-apiserver", "kube-controller-manager", "kube-scheduler"};
  if (!external_etcd) pods.emplace_back("etcd");
  return pods;
}

bool Context::journal_ended(const std::string& phase) const {
  return journal != nullptr && journal->ended(phase);
}

std::string Context::api_endpoint() const {
  if (ticket) return ticket->endpoint;
  std::string endpoint = options.control_plane_endpoint;
  const Json cluster = user_document(user_documents, "ClusterConfiguration");
  if (endpoint.empty() && cluster.contains("controlPlaneEndpoint") &&
      cluster["controlPlaneEndpoint"].is_string())
    endpoint = cluster["controlPlaneEndpoint"];
  if (endpoint.empty()) endpoint = vip;
  if (endpoint.empty()) endpoint = network.node_ip;
  if (is_ip_address(endpoint) && endpoint.find(':') != std::string::npos)
    endpoint = "[" + endpoint + "]";
  const bool has_port =
      endpoint.rfind(':') != std::string::npos &&
      endpoint.rfind(':') > (endpoint.rfind(']') == std::string::npos ? 0 : endpoint.rfind(']'));
  return has_port ? endpoint : endpoint + ":" + std::to_string(kApiPort);
}

std::string Context::own_api() const {
  return in_url(network.node_ip) + ":" + std::to_string(kApiPort);
}

Command Context::kubectl(std::vector<std::string> arguments) const {
  Command command;
  const std::string cache = options.dry_run ? kNowhere : kKubectlCache;
  command.argv = {program("kubectl"), "--kubeconfig",
                  master() ? node_path::admin_config : node_path::kubelet_config,
                  "--request-timeout=" + std::to_string(kubectl_timeout.count()) + "s",
                  "--cache-dir=" + cache};
  // 1.18's discovery cache does not follow --cache-dir: it is $HOME/.kube/cache.
  command.environment["HOME"] = cache;
  // The node's own API server: a load balancer in front of it may come later.
  if (initializes() && !network.node_ip.empty())
    command.argv.push_back("--server=https://" + own_api());
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.timeout = 3 * kubectl_timeout;
  return command;
}

void resolve_context(Context& context) {
  const InstallOptions& options = context.options;
  context.platform = context.host.platform();
  if (wants_to_join(options) && !options.joined) context.ticket = ticket_from(options);
  context.vip = settle_vip(context);
  if (options.schedulable && !context.master())
    throw Error(ExitCode::usage, "--schedulable belongs to --role master");
  if (!options.kubeadm_config.empty()) {
    const std::string what = options.kubeadm_config.string();
    context.user_documents = yaml_documents(read_file(options.kubeadm_config, 1U << 20U), what);
    check_user_documents(context.user_documents, context.facts,
                         {.joins = context.joins(), .master = context.master()}, what);
  }
  const auto& documents = context.user_documents;
  const Json own =
      user_document(documents, context.initializes() ? "InitConfiguration" : "JoinConfiguration");
  const Json cluster = user_document(documents, "ClusterConfiguration");
  const Json registration = own.value("nodeRegistration", Json::object());

  const Json api = context.initializes() ? own : own.value("controlPlane", Json::object());
  std::string wanted =
      first_of(options.node_ip, text_at(api, "localAPIEndpoint", "advertiseAddress"));
  wanted = first_of(wanted, kubelet_extra_arg(registration, "node-ip"));
  context.network = find_node_network(context.host, wanted, context.vip);
  context.external_etcd = options.joined   ? options.external_etcd
                          : context.ticket ? context.ticket->external_etcd
                                           : external_etcd_of(documents).has_value();
  check_vip(context);
  context.node_name = first_of(options.node_name, text_at(own, "nodeRegistration", "name"));
  if (context.node_name.empty()) context.node_name = context.host.hostname();
  context.node_name = to_lower(context.node_name);

  context.image_repository = options.image_repository;
  if (context.image_repository.empty() && cluster.contains("imageRepository") &&
      cluster["imageRepository"].is_string())
    context.image_repository = cluster["imageRepository"];
  if (context.image_repository == context.facts.image_repository) context.image_repository.clear();

  context.pod_subnet =
      first_of(options.pod_network_cidr, text_at(cluster, "networking", "podSubnet"));
  if (context.pod_subnet.empty() && context.cni) context.pod_subnet = context.cni->pod_subnet;
  context.service_subnet =
      first_of(options.service_cidr, text_at(cluster, "networking", "serviceSubnet"));
  if (context.service_subnet.empty()) context.service_subnet = "10.96.0.0/12";
  context.dns_domain =
      first_of(options.service_dns_domain, text_at(cluster, "networking", "dnsDomain"));
  check_addresses(context);
  if (mount_of(context.host, "/usr/libexec").has("ro"))
    context.volume_plugin_dir = "/var/lib/kubelet/volumeplugins";

  const Json kubelet = user_document(documents, "KubeletConfiguration");
  std::string resolver = kubelet_extra_arg(registration, "resolv-conf");
  if (resolver.empty() && kubelet.contains("resolvConf") && kubelet["resolvConf"].is_string())
    resolver = kubelet["resolvConf"];
  context.resolver = choose_resolver(context.host, resolver);
  const bool user_tolerates =
      kubelet_extra_arg(registration, "fail-swap-on") == "false" ||
      (kubelet.contains("failSwapOn") && kubelet["failSwapOn"] == Json(false));
  const auto& ignored = options.ignore_preflight_errors;
  const bool ignored_swap = std::any_of(ignored.begin(), ignored.end(), [](const std::string& id) {
    return to_lower(id) == "swap" || to_lower(id) == "all";
  });
  context.swap_tolerated = user_tolerates || (ignored_swap && !options.swapoff);
  context.runtime = make_runtime(context);
}

}  // namespace kbundle
