#include "installer/resolver.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "installer/context.hpp"

namespace kbundle {
namespace {

constexpr const char* kDefault = "/etc/resolv.conf";
constexpr const char* kSystemdResolved = "/run/systemd/resolve/resolv.conf";
constexpr const char* kStub = "127.0.0.53";

// The search and options lines stay useful to pods; nameservers are chosen by the caller.
std::string content_with(const std::string& original, const std::vector<std::string>& servers) {
  std::string text = "# Made by kbundle for the kubelet (--resolv-conf).\n";
  for (const std::string& line : split(original, '\n')) {
    const auto bare = trim(line);
    if (bare.starts_with("search ") || bare.starts_with("domain ") || bare.starts_with("options "))
      text += std::string(bare) + "\n";
  }
  for (const std::string& server : servers) text += "nameserver " + server + "\n";
  return text;
}

std::vector<std::string> real_servers(const std::vector<std::string>& servers) {
  std::vector<std::string> result;
  std::copy_if(servers.begin(), servers.end(), std::back_inserter(result),
               [](const std::string& server) {
                 // A link-local address names an interface of this host, which pods do not have.
                 return !is_loopback(server) && !to_lower(server).starts_with("fe80:");
               });
  return result;
}

}  // namespace

std::vector<std::string> nameservers(const std::string& resolv_conf) {
  std::vector<std::string> result;
  for (const std::string& line : split(resolv_conf, '\n')) {
    auto bare = trim(line);
    if (!bare.starts_with("nameserver")) continue;
    bare = trim(bare.substr(std::string_view("nameserver").size()));
    const auto end = bare.find_first_of(" \t#;");
    if (!bare.empty()) result.emplace_back(bare.substr(0, end));
  }
  return result;
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1" || address == "0.0.0.0" ||
         address == "::" || to_lower(address).starts_with("::ffff:127.");
}

ResolverChoice choose_resolver(const Host& host, const std::string& user_choice) {
  ResolverChoice choice;
  if (!user_choice.empty()) {
    choice.path = user_choice;
    const auto text = host.read(user_choice);
    const auto servers = nameservers(text.value_or(""));
    choice.no_nameserver = servers.empty();
    if (!text)
      choice.trouble = user_choice + " is not there, and the kubelet starts no pod without it";
    else if (std::any_of(servers.begin(), servers.end(), is_loopback))
      choice.trouble =
          user_choice + " names a loopback server: CoreDNS would ask itself, and crash";
    choice.reason = "the configuration names " + user_choice;
    return choice;
  }
  const std::string text = host.read(kDefault).value_or("");
  const auto servers = nameservers(text);
  const auto usable = real_servers(servers);
  if (std::find(servers.begin(), servers.end(), kStub) != servers.end()) {
    const auto behind = real_servers(nameservers(host.read(kSystemdResolved).value_or("")));
    if (!behind.empty()) {
      choice.path = kSystemdResolved;
      choice.reason = "systemd-resolved's own list of nameservers";
      return choice;
    }
  }
  if (!servers.empty() && usable.size() == servers.size()) {
    choice.reason = std::string(kDefault) + " is fine";
    // The path is named all the same: kubeadm up to 1.22 would guess from running services.
    choice.path = kDefault;
    return choice;
  }
  choice.own_file = true;
  choice.path = node_path::resolver;
  choice.content = content_with(text, usable);
  choice.no_nameserver = usable.empty();
  if (servers.empty()) {
    choice.reason = std::string(kDefault) + " names no server: CoreDNS serves the cluster alone";
  } else if (usable.empty()) {
    choice.reason = std::string(kDefault) + " names only " + join(servers, ", ") +
                    ", which is another machine inside a pod: CoreDNS serves the cluster alone";
  } else {
    choice.reason = std::string(kDefault) + " without its loopback nameserver";
  }
  return choice;
}

std::string without_forward(const std::string& corefile) {
  std::string result;
  int depth_to_skip = 0;
  for (const std::string& line : split(corefile, '\n')) {
    const auto bare = trim(line);
    const auto opens = static_cast<int>(std::count(bare.begin(), bare.end(), '{'));
    const auto closes = static_cast<int>(std::count(bare.begin(), bare.end(), '}'));
    if (depth_to_skip > 0) {
      depth_to_skip += opens - closes;
      continue;
    }
    if (bare.starts_with("forward . /etc/resolv.conf") ||
        bare.starts_with("proxy . /etc/resolv.conf")) {
      depth_to_skip = opens - closes;
      continue;
    }
    result += line + "\n";
  }
  // split() gives a last empty piece for the final newline; keep the text's own ending.
  if (!result.empty()) result.pop_back();
  return result;
}

}  // namespace kbundle
