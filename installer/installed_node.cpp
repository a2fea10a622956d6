#include "installer/installed_node.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/bin_dir.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/session.hpp"

namespace kbundle {
namespace {

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

}  // namespace

Receipt installed_receipt(const Host& host, const Journal& journal, const std::string& verb) {
  if (journal.resetting())
    throw Error(ExitCode::preflight,
                "a reset of this host was begun and is not at its end: kbundle " + verb +
                    " has nothing to work on",
                "end it first: kbundle reset");
  if (auto receipt = Receipt::read(host)) return *std::move(receipt);
  if (!journal.has_plan())
    throw Error(ExitCode::preflight,
                "kbundle did not install this host: there is no " + std::string(node_path::receipt),
                "run kbundle " + verb + " on a node that `kbundle install` made");
  if (!journal.complete())
    throw Error(ExitCode::preflight,
                "the " + journal.plan().action + " of this host has not come to its end",
                install_command(journal.plan()));
  const bool there = host.exists(node_path::receipt);
  throw Error(ExitCode::preflight,
              std::string(node_path::receipt) + (there ? " is damaged" : " is gone") +
                  ", so kbundle " + verb + " cannot tell what this node is",
              "run " + install_command(journal.plan()) + " again: it writes the receipt anew");
}

InstallOptions installed_options(const Receipt& receipt, const Journal& journal) {
  InstallOptions options;
  options.joined = true;
  options.role = receipt.master() ? InstallOptions::Role::master : InstallOptions::Role::worker;
  options.node_ip = receipt.node_ip;
  options.node_name = receipt.node_name;
  options.control_plane_endpoint = receipt.api_endpoint;
  options.vip = receipt.vip;
  options.external_etcd = receipt.external_etcd;
  options.image_repository = receipt.image_repository;
  options.pod_network_cidr = receipt.pod_subnet;
  options.service_cidr = receipt.service_subnet;
  options.cri_socket = receipt.cri_socket;
  // Of `--runtime none` the receipt knows only what was found.
  const Json& overrides = journal.plan().overrides;
  options.runtime = overrides.value("runtime", receipt.runtime);
  return options;
}

std::string installed_program(const Host& host, const Receipt& receipt,
                              const std::string& component) {
  for (const Receipt::File& file : receipt.files)
    if (file.component == component && file.path.ends_with("/" + component) &&
        host.digest(file.path) == file.digest)
      return file.path;
  throw Error(ExitCode::preflight, component + " is not there as it was installed",
              "put it right with `kbundle repair`");
}

bool is_installed_program(const Host& host, const Receipt& receipt, const std::string& path) {
  return std::any_of(receipt.files.begin(), receipt.files.end(), [&](const Receipt::File& file) {
    return file.path == path && host.digest(path) == file.digest;
  });
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

InstalledNode::InstalledNode(Receipt receipt_, Host& host_, Progress& progress,
                             const Journal& journal, const Bundle* bundle)
    : receipt(std::move(receipt_)),
      options(installed_options(receipt, journal)),
      inventory(bundle != nullptr ? bundle->inventory() : inventory_of(receipt, host_.platform())),
      context(options, inventory, bundle, Catalog::builtin().facts(receipt.kubernetes_version),
              host_, progress) {
  context.journal = &journal;
  context.platform = host_.platform();
  context.cni = cni_of(context);
  // What the install merged out of the user's documents. Where it was cut, the kubelet's own files
  // tell the rest.
  context.user_documents = documents_on_node(host_, node_path::kubeadm_config);
  context.network = find_node_network(host_, receipt.node_ip);
  context.bin_dir = receipt.bin_dir;
  host_.set_bin_dir(receipt.bin_dir);
  context.node_name = receipt.node_name;
  context.vip = receipt.vip;
  context.external_etcd = receipt.external_etcd;
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
