#include "installer/etcd_members.hpp"

#include <charconv>
#include <cstdint>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/network.hpp"

namespace kbundle {
namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

bool is_number(const std::string& text) {
  std::uint64_t number = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  return error == std::errc() && end == last;
}

// Of a container as the API server shows it, what a static pod's file needs.
Json slim_container(const Json& container) {
  Json slim = Json::object();
  for (const char* key : {"name", "image", "command", "imagePullPolicy", "livenessProbe",
                          "readinessProbe", "startupProbe", "resources", "ports"})
    if (container.contains(key)) slim[key] = container[key];
  slim["volumeMounts"] = Json::array();
  for (const Json& mount : container.value("volumeMounts", Json::array()))
    if (mount.value("mountPath", "").rfind("/var/run/secrets", 0) != 0)
      slim["volumeMounts"].push_back(mount);
  return slim;
}

void set_argument(Json& command, const std::string& name, const std::string& value) {
  const std::string start = "--" + name + "=";
  for (Json& word : command) {
    if (!word.is_string() || !word.get<std::string>().starts_with(start)) continue;
    word = start + value;
    return;
  }
  command.push_back(start + value);
}

}  // namespace

std::vector<EtcdPeer> parse_etcd_peers(std::string_view text) {
  const std::string what = "etcd's list of members";
  std::vector<EtcdPeer> members;
  try {
    const Json json = parse_json(text, what, {.size = 1U << 20U, .depth = 8, .values = 10'000});
    for (const Json& each : json.value("members", Json::array())) {
      EtcdPeer member;
      const Json id = each.value("ID", Json());
      member.id = id.is_string() ? id.get<std::string>() : id.dump();
      if (!is_number(member.id))
        throw Error(ExitCode::phase, "a member has the ID " + printable(member.id));
      member.name = each.value("name", "");
      const Json urls = each.value("peerURLs", Json::array());
      if (urls.is_array() && !urls.empty()) member.peer_url = urls[0].get<std::string>();
      member.learner = each.value("isLearner", false);
      members.push_back(std::move(member));
    }
  } catch (const Json::exception& error) {
    throw Error(ExitCode::phase, what + " cannot be read: " + error.what());
  } catch (const Error& error) {
    throw Error(ExitCode::phase, what + " cannot be read: " + error.message());
  }
  return members;
}

std::string etcd_peer_url(const std::string& address) {
  return "https://" + in_url(address) + ":2380";
}

std::string etcd_address(const std::string& peer_url) {
  const auto start = peer_url.find("//");
  const auto end = peer_url.rfind(':');
  if (start == std::string::npos || end == std::string::npos || end < start + 2) return {};
  std::string address = peer_url.substr(start + 2, end - start - 2);
  if (address.size() > 1 && address.front() == '[') address = address.substr(1, address.size() - 2);
  return address;
}

std::string etcd_client_url(const std::string& address) {
  return "https://" + in_url(address) + ":2379";
}

std::optional<std::vector<EtcdPeer>> etcd_peers(const EtcdClient& etcd, const std::string& url) {
  // An empty request is answered from the member's own memory ("linearizable" is false).
  const auto answer = etcd.post(url, "/v3/cluster/member/list", "{}");
  if (!answer.ok()) return std::nullopt;
  return parse_etcd_peers(answer.body);
}

std::string etcd_trouble(const EtcdClient& etcd, const std::string& url) {
  const auto answer = etcd.get(url, "/health");
  if (answer.ok() && answer.body.find("\"true\"") != std::string::npos) return {};
  if (answer.status == 0) return answer.trouble;
  return "it says it is not healthy (HTTP " + std::to_string(answer.status) + ": " +
         printable(trim(answer.body)) + ")";
}

void remove_etcd_peer(const EtcdClient& etcd, const std::string& url, const EtcdPeer& member) {
  const auto answer = etcd.post(url, "/v3/cluster/member/remove", Json{{"ID", member.id}}.dump());
  if (answer.ok()) return;
  throw Error(ExitCode::phase,
              "etcd did not take out the member at " + member.peer_url + ": " +
                  printable(trim(answer.trouble.empty() ? answer.body : answer.trouble)),
              "see that the other masters' etcd is healthy");
}

void set_initial_cluster(Json& pod, const std::string& own_address, const std::string& own_name,
                         const std::vector<EtcdPeer>& members) {
  std::string list;
  for (const EtcdPeer& member : members) {
    const bool own = member.peer_url == etcd_peer_url(own_address);
    const std::string& name = own ? own_name : member.started() ? member.name : member.id;
    list += (list.empty() ? "" : ",") + name + "=" + member.peer_url;
  }
  Json& command = pod.at("spec").at("containers").at(0).at("command");
  set_argument(command, "initial-cluster", list);
  set_argument(command, "initial-cluster-state", "existing");
}

Json joining_etcd_pod(const Json& other, const std::string& other_address,
                      const std::string& own_address, const std::string& own_name,
                      const std::vector<EtcdPeer>& members) {
  const std::string from = "//" + in_url(other_address) + ":";
  const std::string to = "//" + in_url(own_address) + ":";
  Json pod = {{"apiVersion", "v1"},
              {"kind", "Pod"},
              {"metadata", {{"name", "etcd"}, {"namespace", "kube-system"}}},
              {"spec", Json::object()}};
  const Json metadata = other.value("metadata", Json::object());
  if (metadata.contains("labels")) pod["metadata"]["labels"] = metadata["labels"];
  const Json annotations = metadata.value("annotations", Json::object());
  for (const auto& [key, value] : annotations.items()) {
    if (!key.starts_with("kubeadm.kubernetes.io/") || !value.is_string()) continue;
    std::string text = value.get<std::string>();
    replace_all(text, from, to);
    pod["metadata"]["annotations"][key] = text;
  }
  const Json& spec = other.at("spec");
  for (const char* key : {"hostNetwork", "priorityClassName", "securityContext"})
    if (spec.contains(key)) pod["spec"][key] = spec[key];
  pod["spec"]["containers"] = Json::array({slim_container(spec.at("containers").at(0))});
  pod["spec"]["volumes"] = Json::array();
  for (const Json& volume : spec.value("volumes", Json::array()))
    if (volume.contains("hostPath")) pod["spec"]["volumes"].push_back(volume);
  Json& container = pod["spec"]["containers"][0];
  for (Json& word : container.at("command")) {
    std::string text = word.get<std::string>();
    replace_all(text, from, to);
    word = text;
  }
  for (const char* probe : {"livenessProbe", "readinessProbe", "startupProbe"})
    if (container.contains(probe) &&
        container[probe].value("/httpGet/host"_json_pointer, "") == other_address)
      container[probe]["httpGet"]["host"] = own_address;
  set_argument(container.at("command"), "name", own_name);
  set_initial_cluster(pod, own_address, own_name, members);
  return pod;
}

}  // namespace kbundle
