#include "installer/etcd_tool.hpp"

#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "installer/runtimes/containerd_config.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr const char* kContainer = "kbundle-etcdctl";
constexpr const char* kCertificates = "/etc/kubernetes/pki/etcd";

std::string flag(const Json& command, const std::string& name) {
  const std::string start = "--" + name + "=";
  for (const Json& word : command)
    if (word.is_string() && word.get<std::string>().starts_with(start))
      return word.get<std::string>().substr(start.size());
  return {};
}

// "3.5.10" out of "registry.k8s.io/etcd:3.5.10-0".
std::optional<Version> version_of_image(const std::string& image) {
  const auto colon = image.rfind(':');
  return colon == std::string::npos ? std::nullopt : Version::parse(image.substr(colon + 1));
}

}  // namespace

EtcdMember parse_etcd_manifest(const std::string& yaml, const std::string& what) {
  EtcdMember member;
  try {
    const Json container = yaml_documents(yaml, what).at(0).at("spec").at("containers").at(0);
    const Json& command = container.at("command");
    member.image = container.at("image").get<std::string>();
    member.name = flag(command, "name");
    member.data_dir = flag(command, "data-dir");
    member.client_url = split(flag(command, "listen-client-urls"), ',').at(0);
    member.peer_url = flag(command, "initial-advertise-peer-urls");
    member.initial_cluster = flag(command, "initial-cluster");
  } catch (const Json::exception& error) {
    throw Error(ExitCode::phase, what + " is no etcd pod as kubeadm writes it: " + error.what());
  } catch (const std::out_of_range&) {
    throw Error(ExitCode::phase, what + " holds no etcd pod");
  }
  if (member.data_dir.empty() || member.client_url.empty() || member.name.empty())
    throw Error(ExitCode::phase,
                what + " names no --name, --data-dir or --listen-client-urls for etcd");
  return member;
}

EtcdTool::EtcdTool(const Host& host, const Receipt& receipt, EtcdMember member)
    : host_(host), receipt_(receipt), member_(std::move(member)) {}

std::vector<std::string> EtcdTool::client() const {
  return {"etcdctl", "--endpoints=" + member_.client_url, "--cacert=/pki/ca.crt",
          "--cert=/pki/healthcheck-client.crt", "--key=/pki/healthcheck-client.key"};
}

void EtcdTool::save_snapshot(const std::string& file) const {
  const std::filesystem::path path(file);
  make_folders(host_.at(path.parent_path().string()), 0700);
  auto argv = client();
  argv.insert(argv.end(), {"snapshot", "save", "/backup/" + path.filename().string()});
  const auto result =
      run(argv, {{kCertificates, "/pki"}, {path.parent_path().string(), "/backup", true}},
          std::chrono::minutes(10));
  if (!result.ok())
    throw Error(ExitCode::phase, "etcd's snapshot failed: " +
                                     std::string(trim(result.errors + "\n" + result.output)));
}

void EtcdTool::restore_snapshot(const std::string& file, const std::string& folder) const {
  const std::filesystem::path source(file), target(folder);
  make_folders(host_.at(target.parent_path().string()), 0700);
  // etcd 3.6 took `snapshot restore` out of etcdctl.
  const auto version = version_of_image(member_.image);
  const bool etcdutl = version && *version >= Version{3, 6, 0, ""};
  const auto result = run({etcdutl ? "etcdutl" : "etcdctl", "snapshot", "restore",
                           "/backup/" + source.filename().string(),
                           "--data-dir=/restored/" + target.filename().string(),
                           "--name=" + member_.name, "--initial-cluster=" + member_.initial_cluster,
                           "--initial-advertise-peer-urls=" + member_.peer_url},
                          {{source.parent_path().string(), "/backup"},
                           {target.parent_path().string(), "/restored", true}},
                          std::chrono::minutes(10));
  if (!result.ok())
    throw Error(ExitCode::phase, "etcd's snapshot could not be restored: " +
                                     std::string(trim(result.errors + "\n" + result.output)));
}

bool EtcdTool::healthy() const {
  auto argv = client();
  argv.insert(argv.end(), {"endpoint", "health"});
  return run(argv, {{kCertificates, "/pki"}}, std::chrono::seconds(30)).ok();
}

std::vector<std::string> EtcdTool::runtime_command() const {
  if (receipt_.runtime == "docker") return {host_.program("docker").value_or("docker")};
  std::vector<std::string> argv = {host_.program("ctr").value_or("ctr")};
  if (!receipt_.cri_socket.empty()) argv.insert(argv.end(), {"--address", receipt_.cri_socket});
  argv.insert(argv.end(), {"-n", "k8s.io"});
  return argv;
}

// What a killed run left: two of the same name cannot be.
void EtcdTool::remove_container() const {
  const auto quietly = [&](std::vector<std::string> words) {
    Command command;
    command.argv = runtime_command();
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.timeout = std::chrono::seconds(30);
    (void)host_.run(std::move(command));
  };
  if (receipt_.runtime == "docker") {
    quietly({"rm", "-f", kContainer});
    return;
  }
  quietly({"tasks", "rm", "-f", kContainer});
  quietly({"containers", "rm", kContainer});
  quietly({"snapshots", "rm", kContainer});
}

CommandResult EtcdTool::run(std::vector<std::string> argv, const std::vector<Mount>& mounts,
                            std::chrono::seconds timeout) const {
  remove_container();
  Command command;
  command.argv = runtime_command();
  auto& words = command.argv;
  if (receipt_.runtime == "docker") {
    words.insert(words.end(), {"run", "--rm", "--net=host", "--name", kContainer, "--user=0"});
    for (const Mount& mount : mounts)
      words.insert(words.end(),
                   {"-v", mount.source + ":" + mount.target + (mount.writable ? "" : ":ro")});
    words.insert(words.end(), {"--entrypoint=", member_.image});
  } else {
    words.insert(words.end(), {"run", "--rm", "--net-host"});
    const auto config = host_.read("/etc/containerd/config.toml");
    const auto snapshotter =
        config ? read_containerd_config(*config, "/etc/containerd/config.toml").snapshotter
               : std::string();
    if (!snapshotter.empty()) words.insert(words.end(), {"--snapshotter", snapshotter});
    for (const Mount& mount : mounts)
      words.insert(words.end(),
                   {"--mount", "type=bind,src=" + mount.source + ",dst=" + mount.target +
                                   ",options=rbind:" + (mount.writable ? "rw" : "ro")});
    words.insert(words.end(), {member_.image, kContainer});
  }
  words.insert(words.end(), argv.begin(), argv.end());
  command.timeout = timeout;
  return host_.run(std::move(command));
}

}  // namespace kbundle
