#include "installer/installed_node.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "installer/context.hpp"

namespace kbundle {

Receipt installed_receipt(const Host& host, const std::string& verb) {
  if (auto receipt = Receipt::read(host)) return *receipt;
  const bool there = host.exists(node_path::receipt);
  throw Error(ExitCode::preflight,
              std::string(node_path::receipt) +
                  (there ? " is damaged" : " is not there: kbundle has not installed this host") +
                  ", so `kbundle " + verb + "` cannot tell what this node is",
              "run the install's command again: it looks at the host and writes the receipt anew");
}

InstallOptions installed_options(const Receipt& receipt, const Journal& journal) {
  InstallOptions options;
  options.joined = true;
  options.role = receipt.master() ? InstallOptions::Role::master : InstallOptions::Role::worker;
  options.node_ip = receipt.node_ip;
  options.node_name = receipt.node_name;
  options.control_plane_endpoint = receipt.api_endpoint;
  options.vip = receipt.vip;
  options.image_repository = receipt.image_repository;
  options.pod_network_cidr = receipt.pod_subnet;
  options.service_cidr = receipt.service_subnet;
  const Json& overrides = journal.plan().overrides;
  options.cri_socket = overrides.value("cri-socket", "");
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

}  // namespace kbundle
