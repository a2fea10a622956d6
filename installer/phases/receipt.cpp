// What was installed, for `status` and `reset`; the administrator's kubectl configuration; and the
// join ticket for the workers.
#include "installer/receipt.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "bundles/image_stream.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/external_etcd.hpp"
#include "installer/join_secrets.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

// A person's home folder, by number: a static executable has no name service.
struct Home {
  std::string folder = "/root";
  unsigned user = 0, group = 0;
};

class ReceiptPhase final : public Phase {
 public:
  explicit ReceiptPhase(Context& context)
      : Phase("receipt", "receipt, kubectl configuration, join ticket", std::chrono::minutes(1)),
        context_(context),
        host_(context.host) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    if (!receipt_holds()) actions.push_back(std::string("write ") + node_path::receipt);
    if (context_.master() && !context_.options.joined) {
      // Tried anew in each run: a full disk has room again some time.
      const std::string target = home().folder + "/.kube/config";
      if (!host_.exists(target)) actions.push_back("write " + target + " (0600)");
      if (context_.initializes() && ticket_wanted())
        actions.push_back(std::string("write ") + node_path::join_ticket + " (0600)");
    }
    if (actions.empty()) return PhaseCheck::done(std::string(node_path::receipt) + " is there");
    return PhaseCheck::todo("what was installed is written down", actions);
  }

  void apply() override {
    if (context_.master() && !context_.options.joined) {
      if (context_.initializes() && ticket_wanted()) write_ticket();
      offer_admin_config();
    }
    if (receipt_holds()) return;
    Receipt receipt = make_receipt();
    receipt.installed = rfc3339(std::chrono::system_clock::now());
    host_.write(node_path::receipt, receipt.to_json().dump(2) + "\n", 0644);
  }

 private:
  Receipt make_receipt() const {
    const Inventory& inventory = context_.inventory;
    Receipt receipt;
    if (context_.bundle != nullptr) receipt.bundle = context_.bundle->id();
    receipt.line = inventory.line;
    receipt.serial = inventory.serial;
    receipt.kubernetes_version = inventory.kubernetes_version;
    receipt.kbundle_version = inventory.kbundle_version;
    receipt.cni = inventory.cni;
    receipt.role = context_.master() ? "master" : "worker";
    receipt.node_name = context_.node_name;
    receipt.node_ip = context_.network.node_ip;
    receipt.api_endpoint = context_.api_endpoint();
    receipt.vip = context_.vip;
    receipt.external_etcd = context_.external_etcd;
    receipt.image_repository = context_.image_repository;
    receipt.pod_subnet = context_.pod_subnet;
    receipt.service_subnet = context_.service_subnet;
    receipt.bin_dir = context_.bin_dir;
    receipt.runtime = context_.runtime->name();
    receipt.runtime_version = context_.runtime->version();
    receipt.cri_socket = context_.runtime->cri_socket();
    receipt.runtime_from_bundle = !context_.runtime->host_has_own();
    for (const FileRecord& file : inventory.files)
      if (host_.digest(file.path) == file.digest)
        receipt.files.push_back({file.path, file.digest, file.component, file.version, file.mode});
    receipt.resolver = context_.resolver.path.empty() ? "/etc/resolv.conf" : context_.resolver.path;
    if (const auto digest = host_.digest(receipt.resolver)) receipt.resolver_digest = digest->str();
    for (const ImageRecord* image : context_.images_for_role()) {
      Receipt::Image record{context_.names_on_node(*image), image->digest, {}, {}};
      for (const ImagePlatform& one : image->platforms)
        if (context_.platform.accepts(one.platform)) record.config = one.config;
      if (context_.bundle != nullptr)
        for (const Digest& digest : image_blobs(*context_.bundle, *image, context_.platform))
          record.blobs.emplace_back(digest, inventory.find_blob(digest)->size);
      receipt.images.push_back(std::move(record));
    }
    return receipt;
  }

  bool receipt_holds() const {
    auto kept = Receipt::read(host_);
    if (!kept) return false;  // absent, or cut by a power loss: made again
    kept->installed.clear();
    return kept->to_json() == make_receipt().to_json();
  }

  Home home() const {
    Home result;
    const char* number = std::getenv("SUDO_UID");
    if (number == nullptr || !host_.live()) return result;
    const auto entry =
        host_.run({.argv = {"getent", "passwd", number}, .timeout = std::chrono::seconds(10)});
    const auto fields = split(trim(entry.output), ':');
    if (!entry.ok() || fields.size() < 7 || fields[2] != number || !fields[5].starts_with("/"))
      return result;
    const auto number_of = [](const std::string& text, unsigned& value) {
      return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
    };
    Home found;
    if (!number_of(fields[2], found.user) || !number_of(fields[3], found.group)) return result;
    found.folder = fields[5];
    return found;
  }

  // A convenience: that it fails is no reason to fail the install.
  void offer_admin_config() const {
    std::string problem;
    try {
      copy_admin_config();
      return;
    } catch (const Error& error) {
      if (error.code() == ExitCode::interrupted) throw;
      problem = error.message();
    } catch (const std::filesystem::filesystem_error& error) {
      problem = error.what();
    }
    context_.progress.warn("the kubectl configuration was not copied: " + problem +
                           "; use kubectl --kubeconfig " + node_path::admin_config);
  }

  void copy_admin_config() const {
    const auto config = host_.read(node_path::admin_config);
    if (!config) return;
    const Home owner = home();
    const std::string folder = owner.folder + "/.kube";
    const std::string target = folder + "/config";
    // In a person's own folder: not as root through a link of theirs.
    if (std::filesystem::is_symlink(host_.at(folder)))
      throw Error(ExitCode::phase, folder + " is a symbolic link");
    if (const auto present = host_.read(target)) {
      if (*present != *config)
        context_.progress.warn(target + " is there already and stays; use kubectl --kubeconfig " +
                               node_path::admin_config);
      return;
    }
    const bool had_folder = host_.exists(folder);
    host_.touching(Touch::file, target);
    make_folders(host_.at(folder), 0750);
    remove_stale_temporaries(host_.at(folder));
    AtomicFile file(host_.at(target), 0600);
    file.write(*config);
    if (owner.user != 0) {
      if (::fchown(file.fd(), owner.user, owner.group) != 0)
        throw_errno("give " + target + " to user " + std::to_string(owner.user), errno);
      if (!had_folder && ::lchown(host_.at(folder).c_str(), owner.user, owner.group) != 0)
        throw_errno("give " + folder + " to user " + std::to_string(owner.user), errno);
    }
    file.commit();
  }

  JoinTicket make_ticket() const {
    const KeptSecrets secrets = kept_secrets(host_.read(node_path::kubeadm_config).value_or(""));
    JoinTicket ticket;
    ticket.endpoint = context_.api_endpoint();
    ticket.token = secrets.token;
    ticket.certificate_key = secrets.certificate_key;
    ticket.ca_cert_hash = ca_cert_hash(host_.read("/etc/kubernetes/pki/ca.crt").value_or(""));
    ticket.kubernetes_version = context_.inventory.kubernetes_version;
    ticket.bundle = context_.bundle != nullptr ? context_.bundle->id() : std::string();
    ticket.vip = context_.vip;
    ticket.external_etcd = context_.external_etcd;
    if (const auto etcd = external_etcd_of(context_.user_documents))
      ticket.external_etcd_files = etcd->files();
    return ticket;
  }

  // What `kbundle ticket` wrote there holds as well: other secrets, the same cluster.
  bool ticket_holds() const {
    const auto text = host_.read(node_path::join_ticket);
    if (!text || !host_.exists("/etc/kubernetes/pki/ca.crt")) return false;
    try {
      const auto cluster = [](JoinTicket ticket) {
        ticket.token = ticket.certificate_key = ticket.certificate_key_expires = {};
        ticket.created = ticket.expires = {};
        return ticket.serialize();
      };
      return cluster(JoinTicket::parse(*text, node_path::join_ticket)) == cluster(make_ticket());
    } catch (const Error&) {
      return false;
    }
  }

  // `--only-phase bootstrap-token` gave the same token a new life: `--only-phase receipt` says so.
  bool ticket_wanted() const { return context_.options.only_phase == id() || !ticket_holds(); }

  void write_ticket() const {
    JoinTicket ticket = make_ticket();
    const auto now = std::chrono::system_clock::now();
    const auto kubectl = [this](const std::vector<std::string>& arguments) -> CommandResult {
      if (!host_.live() || !context_.has_program("kubectl")) {
        CommandResult none;
        none.exit_status = 1;
        return none;
      }
      return host_.run(context_.kubectl(arguments));
    };
    ticket.created = rfc3339(now);
    ticket.expires = rfc3339(token_end(kubectl, ticket.token).value_or(now + kTokenLife));
    ticket.certificate_key_expires =
        rfc3339(certificate_key_end(kubectl).value_or(now + kCertificateKeyLife));
    host_.write(node_path::join_ticket, ticket.serialize(), 0600);
  }

  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_receipt_phase(Context& context) {
  return std::make_unique<ReceiptPhase>(context);
}

}  // namespace kbundle
