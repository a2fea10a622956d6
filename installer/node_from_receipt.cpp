#include "installer/node_from_receipt.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/bin_dir.hpp"
#include "installer/session.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

// What the install merged out of the user's documents is in the configuration it kept.
std::vector<Json> kept_documents(const Host& host) {
  const auto text = host.read(node_path::kubeadm_config);
  if (!text) return {};
  try {
    return yaml_documents(*text, node_path::kubeadm_config);
  } catch (const Error&) {
    return {};  // cut by a power loss: the kubelet's own files tell the rest
  }
}

}  // namespace

Inventory inventory_of(const Receipt& receipt, const Platform& platform) {
  Inventory inventory;
  inventory.line = receipt.line;
  inventory.serial = receipt.serial;
  inventory.kubernetes_version = receipt.kubernetes_version;
  inventory.platforms = {platform};
  inventory.cni = receipt.cni;
  inventory.kbundle_version = receipt.kbundle_version;
  for (const Receipt::File& file : receipt.files) {
    FileRecord record;
    record.component = file.component;
    record.path = file.path;
    record.mode = file.mode;
    record.platform = platform;
    record.digest = file.digest;
    record.version = file.version;
    inventory.files.push_back(std::move(record));
  }
  for (const Receipt::Image& image : receipt.images) {
    ImageRecord record;
    record.names = image.names;
    record.digest = image.digest;
    record.platforms = {{platform, image.digest, image.config}};
    inventory.images.push_back(std::move(record));
    for (const auto& [digest, size] : image.blobs)
      if (inventory.find_blob(digest) == nullptr) {
        BlobRecord blob;
        blob.digest = digest;
        blob.size = size;
        inventory.blobs.push_back(std::move(blob));
      }
  }
  return inventory;
}

InstallOptions options_of(const Receipt& receipt) {
  InstallOptions options;
  options.role = receipt.master() ? InstallOptions::Role::master : InstallOptions::Role::worker;
  options.node_ip = receipt.node_ip;
  options.node_name = receipt.node_name;
  options.cri_socket = receipt.cri_socket;
  options.image_repository = receipt.image_repository;
  options.pod_network_cidr = receipt.pod_subnet;
  options.service_cidr = receipt.service_subnet;
  if (!receipt.runtime.empty()) options.runtime = receipt.runtime;
  return options;
}

std::string install_command(const PlanRecord& plan) {
  std::string command = "kbundle " + plan.action + " BUNDLE";
  if (plan.action != "install") return command;
  command += " --role " + plan.role;
  for (const auto& [name, value] : plan.overrides.items()) {
    if (name == "join" || name == "discovery-token-ca-cert-hash") continue;
    if (name == "runtime" && value == Json("containerd")) continue;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (!text.empty()) command += " --" + to_shell({name, text});
  }
  if (plan.overrides.contains("join")) command += " --join join-ticket.json";
  if (!plan.config_digest.empty()) command += " --config FILE";
  return command;
}

Receipt require_receipt(const Host& host, const Journal& journal, const std::string& verb) {
  if (auto receipt = Receipt::read(host)) return *std::move(receipt);
  if (!journal.has_plan())
    throw Error(ExitCode::preflight,
                "kbundle did not install this host: there is no " + std::string(node_path::receipt),
                "run kbundle " + verb + " on a node that `kbundle install` made");
  throw Error(ExitCode::preflight,
              "the " + journal.plan().action + " of this host has not come to its end",
              install_command(journal.plan()));
}

InstalledNode::InstalledNode(Receipt receipt_, Host& host_, Progress& progress,
                             const Journal& journal, const Bundle* bundle)
    : receipt(std::move(receipt_)),
      options(options_of(receipt)),
      inventory(bundle != nullptr ? bundle->inventory() : inventory_of(receipt, host_.platform())),
      context(options, inventory, bundle, Catalog::builtin().facts(receipt.kubernetes_version),
              host_, progress) {
  context.journal = &journal;
  context.platform = host_.platform();
  context.cni = cni_of(context);
  context.user_documents = kept_documents(host_);
  context.network = find_node_network(host_, receipt.node_ip);
  context.bin_dir = receipt.bin_dir;
  host_.set_bin_dir(receipt.bin_dir);
  context.node_name = receipt.node_name;
  context.image_repository = receipt.image_repository;
  context.pod_subnet = receipt.pod_subnet;
  context.service_subnet = receipt.service_subnet;
  context.resolver.path = receipt.resolver;
  for (const Receipt::Image& image : receipt.images)
    for (const auto& [digest, size] : image.blobs)
      context.image_blobs[image.digest].push_back(digest);
  context.runtime = make_runtime(context);
}

}  // namespace kbundle
