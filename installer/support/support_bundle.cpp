#include "installer/support/support_bundle.hpp"

#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "installer/installed_node.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/service_logs.hpp"
#include "installer/status/status.hpp"
#include "installer/support/redact.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kAtOnce = 4;
constexpr std::uint64_t kLogTail = 512U << 10U;  // bytes of each container's newest log

constexpr const char* kKubeconfigs[] = {
    "/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf",
    "/etc/kubernetes/controller-manager.conf", "/etc/kubernetes/scheduler.conf",
    "/etc/kubernetes/kubelet.conf"};
constexpr const char* kKeyFolders[] = {"/etc/kubernetes/pki/", "/etc/kubernetes/pki/etcd/",
                                       "/var/lib/kubelet/pki/"};

// Files that are taken along as they are, but for secrets.
constexpr const char* kFiles[] = {"/var/lib/kbundle/journal",
                                  "/var/lib/kbundle/receipt.json",
                                  "/var/lib/kbundle/kubeadm.yaml",
                                  "/var/lib/kbundle/cni.yaml",
                                  "/var/lib/kbundle/resolv.conf",
                                  "/var/lib/kubelet/config.yaml",
                                  "/var/lib/kubelet/kubeadm-flags.env",
                                  "/etc/containerd/config.toml",
                                  "/etc/docker/daemon.json",
                                  "/etc/systemd/system/kubelet.service",
                                  "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
                                  "/etc/modules-load.d/kubernetes.conf",
                                  "/etc/sysctl.d/99-zz-kubernetes.conf",
                                  "/etc/os-release",
                                  "/etc/hosts",
                                  "/etc/resolv.conf",
                                  "/etc/fstab",
                                  "/proc/cmdline",
                                  "/proc/meminfo",
                                  "/proc/modules",
                                  "/proc/swaps",
                                  "/proc/self/mountinfo"};

struct Entry {
  std::string path;
  std::function<std::string()> text;
};

void add_lines(std::vector<std::string>& secrets, const std::string& pem) {
  for (std::string& line : private_key_lines(pem)) secrets.push_back(std::move(line));
}

void add_kubeconfig(std::vector<std::string>& secrets, const std::string& text) {
  for (const std::string& line : split(text, '\n')) {
    const auto body = trim(line);
    for (std::string_view name : {"client-key-data:", "token:"}) {
      if (!body.starts_with(name)) continue;
      const std::string value(trim(body.substr(name.size())));
      secrets.push_back(value);
      try {
        add_lines(secrets, base64_decode(value, "client-key-data"));
      } catch (const Error&) {  // a token, or cut: the word itself is enough
      }
    }
  }
}

// The newest log of each of the system's containers, and why it ended before.
void add_pod_logs(const Host& host, std::vector<Entry>& sources) {
  for (const std::string& pod : host.list("/var/log/pods")) {
    if (!pod.starts_with("kube-")) continue;  // kube-system, kube-flannel; not the users' own
    // NAMESPACE_NAME_UID
    const auto parts = split(pod, '_');
    const std::string& pod_name = parts.size() == 3 ? parts[1] : pod;
    for (const std::string& container : host.list("/var/log/pods/" + pod)) {
      const std::string folder = "/var/log/pods/" + pod + "/" + container;
      for (const std::string& log : host.list(folder))
        sources.push_back(
            {"logs/pods/" + pod_name + "/" + container + "." + log,
             [&host, file = folder + "/" + log] { return file_tail(host.at(file), kLogTail); }});
    }
  }
}

std::string output_of(const Host& host, Command command) {
  const std::string shown = "$ " + to_shell(command.argv) + "\n";
  const CommandResult result = host.run(std::move(command));
  return shown + result.output + result.errors +
         (result.ok() ? "" : "(exit status " + std::to_string(result.exit_status) + ")\n");
}

void add_command(const Host& host, std::vector<Entry>& sources, std::string path,
                 std::vector<std::string> argv) {
  sources.push_back({std::move(path), [&host, argv = std::move(argv)] {
                       return output_of(host, {.argv = argv, .timeout = std::chrono::seconds(20)});
                     }});
}

void add_host(const Host& host, std::vector<Entry>& sources) {
  add_command(host, sources, "host/uname.txt", {"uname", "-a"});
  add_command(host, sources, "host/date.txt", {"date", "-u"});
  add_command(host, sources, "host/uptime.txt", {"uptime"});
  add_command(host, sources, "host/df.txt", {"df", "-hT"});
  add_command(host, sources, "host/df-inodes.txt", {"df", "-i"});
  add_command(host, sources, "host/mount.txt", {"mount"});
  add_command(host, sources, "host/dmesg.txt", {"dmesg", "-T"});
  add_command(host, sources, "host/units-failed.txt", {"systemctl", "--failed", "--no-pager"});
  add_command(host, sources, "network/ip-address.txt", {"ip", "address"});
  add_command(host, sources, "network/ip-route.txt", {"ip", "route", "show", "table", "all"});
  add_command(host, sources, "network/ip-rule.txt", {"ip", "rule"});
  add_command(host, sources, "network/ip-neighbour.txt", {"ip", "neighbour"});
  add_command(host, sources, "network/sockets.txt", {"ss", "-lntup"});
  add_command(host, sources, "network/iptables.txt", {"iptables-save"});
  add_command(host, sources, "network/ip6tables.txt", {"ip6tables-save"});
  add_command(host, sources, "network/sysctl.txt",
              {"sysctl", "net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter",
               "net.bridge.bridge-nf-call-iptables", "net.netfilter.nf_conntrack_max"});
  for (const char* unit :
       {"kubelet", "containerd", "docker", "cri-dockerd", "kbundle-repair", "kbundle-certs"})
    add_command(host, sources, std::string("logs/") + unit + ".log",
                {"journalctl", "--no-pager", "-o", "short-iso", "--since", "-24h", "-n", "20000",
                 "-u", unit});
  add_command(host, sources, "runtime/images.txt", {"ctr", "-n", "k8s.io", "images", "check"});
  add_command(host, sources, "runtime/containers.txt", {"ctr", "-n", "k8s.io", "containers", "ls"});
  add_command(host, sources, "runtime/tasks.txt", {"ctr", "-n", "k8s.io", "tasks", "ls"});
  add_command(host, sources, "runtime/plugins.txt", {"ctr", "plugins", "ls"});
}

std::string certificates_text(const Host& host) {
  Table table({"NAME", "ENDS", "SUBJECT", "FILE"});
  for (const NodeCertificate& certificate : node_certificates(host))
    table.add({certificate.name,
               certificate.facts ? rfc3339(certificate.facts->not_after) : "cannot be read",
               certificate.facts ? certificate.facts->subject : "", certificate.file});
  return table.str();
}

void add_files(const Host& host, std::vector<Entry>& sources) {
  std::vector<std::string> files(std::begin(kFiles), std::end(kFiles));
  files.insert(files.end(), std::begin(kKubeconfigs), std::end(kKubeconfigs));
  for (const std::string folder : {"/etc/kubernetes/manifests/", "/etc/cni/net.d/"})
    for (const std::string& name : host.list(folder)) files.push_back(folder + name);
  for (const std::string& file : files)
    if (host.exists(file))
      sources.push_back({"files" + file, [&host, file] { return host.read(file).value_or(""); }});
  sources.push_back({"certificates.txt", [&host] { return certificates_text(host); }});
}

void add_cluster(const Context& context, std::vector<Entry>& sources) {
  const auto add = [&](const char* path, std::vector<std::string> arguments) {
    sources.push_back({path, [&context, arguments = std::move(arguments)] {
                         return output_of(context.host, context.kubectl(arguments));
                       }});
  };
  add("cluster/nodes.txt", {"get", "nodes", "-o", "wide"});
  add("cluster/node.txt", {"describe", "node", context.node_name});
  add("cluster/pods.txt", {"get", "pods", "-A", "-o", "wide"});
  add("cluster/events.txt", {"get", "events", "-A", "--sort-by=.lastTimestamp"});
  add("cluster/pods-of-the-system.txt", {"-n", "kube-system", "describe", "pods"});
}

}  // namespace

std::vector<std::string> node_secrets(const Host& host) {
  std::vector<std::string> secrets;
  try {
    const KeptSecrets kept = kept_secrets(host.read(node_path::kubeadm_config).value_or(""));
    secrets = {kept.token, kept.certificate_key};
  } catch (const Error&) {  // cut by a power loss: redact() knows the names behind which they stand
  }
  for (const char* file : kKubeconfigs) add_kubeconfig(secrets, host.read(file).value_or(""));
  for (const std::string folder : kKeyFolders)
    for (const std::string& name : host.list(folder))
      if (name.ends_with(".key") || name.ends_with(".pem"))
        add_lines(secrets, host.read(folder + name).value_or(""));
  // Of equal words one is enough; a longer one goes before a shorter one that it begins with.
  std::sort(secrets.begin(), secrets.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  secrets.erase(std::unique(secrets.begin(), secrets.end()), secrets.end());
  std::erase(secrets, "");
  return secrets;
}

std::vector<SupportFile> collect_support(Host& host, Progress& progress) {
  std::vector<Entry> sources;
  sources.push_back(
      {"status.json", [&] { return look_at_status(host, progress).json().dump(2) + "\n"; }});
  add_files(host, sources);
  add_pod_logs(host, sources);
  add_host(host, sources);
  const Journal journal = Journal::look(host.at(node_path::journal));
  std::unique_ptr<InstalledNode> node;
  if (auto receipt = Receipt::read(host)) {
    node = std::make_unique<InstalledNode>(*std::move(receipt), host, progress, journal);
    node->context.kubectl_timeout = std::chrono::seconds(5);
    add_cluster(node->context, sources);
  }

  const auto secrets = node_secrets(host);
  std::vector<SupportFile> files(sources.size());
  auto task = progress.start("collect " + std::to_string(sources.size()) + " files");
  for_each_parallel(sources.size(), kAtOnce, [&](std::size_t i) {
    std::string text;
    try {
      text = sources[i].text();
    } catch (const Error& error) {
      if (error.code() == ExitCode::interrupted) throw;
      text = "(not to be had: " + error.message() + ")\n";
    }
    files[i] = {sources[i].path, redact(text, secrets)};
  });
  task->done();
  return files;
}

void support_bundle(const std::filesystem::path& output, Progress& progress, std::ostream& out) {
  Host host;
  if (!host.is_root())
    throw Error(ExitCode::preflight, "support-bundle reads root's files and needs root",
                "run it with sudo");
  std::string time = rfc3339(std::chrono::system_clock::now());
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  const std::string name = "kbundle-support-" + host.hostname() + "-" + time;
  const std::filesystem::path target =
      output.empty() ? std::filesystem::path(name + ".tar.zst") : output;
  write_support_archive(target, "kbundle-support", collect_support(host, progress));
  out << target.string() << "\n"
      << "It holds logs and settings of this node, no tokens and no keys. Look into it with\n"
      << "  zstd -dc " << target.string() << " | tar t\n";
}

}  // namespace kbundle
