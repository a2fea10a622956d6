#include "installer/firewall.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include "core/text.hpp"
#include "installer/cluster_names.hpp"

namespace kbundle {
namespace {

struct RuleTable {
  std::string name;
  std::vector<std::string> chains;  ///< names of ":CHAIN POLICY [packets:bytes]"
  std::vector<std::string> rules;   ///< "-A CHAIN …", as printed
};

// The words of a rule; a quoted comment is one word.
std::vector<std::string> words_of(const std::string& rule) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false, any = false;
  for (std::size_t i = 0; i < rule.size(); ++i) {
    const char c = rule[i];
    if (c == '\\' && quoted && i + 1 < rule.size()) {
      word += rule[++i];
    } else if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any || !word.empty()) words.push_back(word);
      word.clear();
      any = false;
    } else {
      word += c;
    }
  }
  if (any || !word.empty()) words.push_back(word);
  return words;
}

// Without the counters that `iptables-save -c` puts in front.
std::string without_counters(std::string line) {
  if (line.starts_with("["))
    if (const auto end = line.find("] "); end != std::string::npos) line.erase(0, end + 2);
  return line;
}

std::vector<RuleTable> tables_of(std::string_view save) {
  std::vector<RuleTable> tables;
  for (const std::string& raw : split(save, '\n')) {
    const std::string line = without_counters(std::string(trim(raw)));
    if (line.starts_with("*")) {
      tables.push_back({line.substr(1), {}, {}});
    } else if (tables.empty()) {
      continue;
    } else if (line.starts_with(":")) {
      tables.back().chains.push_back(line.substr(1, line.find(' ') - 1));
    } else if (line.starts_with("-A ")) {
      tables.back().rules.push_back(line);
    }
  }
  return tables;
}

std::string after(const std::vector<std::string>& words, std::string_view flag) {
  const auto found = std::find(words.begin(), words.end(), flag);
  return found == words.end() || found + 1 == words.end() ? std::string() : *(found + 1);
}

bool is_clusters_rule(const std::vector<std::string>& words,
                      const std::vector<std::string>& pod_networks) {
  for (const char* jump : {"-j", "-g"})
    if (cluster_names::is_chain(after(words, jump))) return true;
  // "flanneld masq", "flanneld forward"
  if (after(words, "--comment").starts_with("flanneld ")) return true;
  const std::string chain = after(words, "-A"), target = after(words, "-j");
  const bool where_flannel_writes =
      (chain == "POSTROUTING" && (target == "RETURN" || target == "MASQUERADE")) ||
      (chain == "FORWARD" && target == "ACCEPT");
  return where_flannel_writes &&
         std::any_of(pod_networks.begin(), pod_networks.end(), [&](const std::string& network) {
           return after(words, "-s") == network || after(words, "-d") == network;
         });
}

}  // namespace

std::string firewall_removal(std::string_view now, std::string_view before,
                             const std::vector<std::string>& pod_networks) {
  std::map<std::string, RuleTable> earlier;
  for (RuleTable& table : tables_of(before)) {
    const std::string name = table.name;
    earlier.emplace(name, std::move(table));
  }
  std::string result;
  for (const RuleTable& table : tables_of(now)) {
    const RuleTable& was = earlier[table.name];
    std::vector<std::string> chains;
    for (const std::string& chain : table.chains)
      if (cluster_names::is_chain(chain) &&
          std::find(was.chains.begin(), was.chains.end(), chain) == was.chains.end())
        chains.push_back(chain);
    std::string lines;
    auto remaining = was.rules;  // a rule that stood there once and stands twice goes once
    for (const std::string& rule : table.rules) {
      const auto words = words_of(rule);
      const bool in_own_chain =
          std::find(chains.begin(), chains.end(), after(words, "-A")) != chains.end();
      if (in_own_chain || !is_clusters_rule(words, pod_networks)) continue;
      if (const auto kept = std::find(remaining.begin(), remaining.end(), rule);
          kept != remaining.end()) {
        remaining.erase(kept);
        continue;
      }
      lines += "-D" + rule.substr(2) + "\n";
    }
    for (const std::string& chain : chains) lines += "-F " + chain + "\n";
    for (const std::string& chain : chains) lines += "-X " + chain + "\n";
    if (!lines.empty()) result += "*" + table.name + "\n" + lines + "COMMIT\n";
  }
  return result;
}

std::vector<std::string> firewall_programs(const Host& host) {
  std::vector<std::string> result;
  for (const std::string family : {"iptables", "ip6tables"}) {
    bool variant = false;
    for (const char* kind : {"-nft", "-legacy"}) {
      if (!host.program(family + kind + "-save")) continue;
      result.push_back(family + kind);
      variant = true;
    }
    if (!variant && host.program(family + "-save")) result.push_back(family);
  }
  return result;
}

std::string firewall_rules(const Host& host, const std::string& program) {
  const auto result = host.run({.argv = {program + "-save"}, .timeout = std::chrono::seconds(60)});
  return result.ok() ? result.output : std::string();
}

std::set<std::string> list_nft_tables(const Host& host) {
  std::set<std::string> result;
  if (!host.program("nft")) return result;
  const auto list =
      host.run({.argv = {"nft", "list", "tables"}, .timeout = std::chrono::seconds(30)});
  for (const std::string& line : split(list.output, '\n'))
    if (line.starts_with("table ")) result.emplace(trim(std::string_view(line).substr(6)));
  return result;
}

std::set<std::string> list_ipsets(const Host& host) {
  std::set<std::string> result;
  if (!host.program("ipset")) return result;
  const auto list =
      host.run({.argv = {"ipset", "list", "-n"}, .timeout = std::chrono::seconds(30)});
  for (const std::string& line : split(list.output, '\n'))
    if (!trim(line).empty()) result.emplace(trim(line));
  return result;
}

std::vector<std::string> list_virtual_servers(const Host& host) {
  std::vector<std::string> result;
  for (const std::string& line : split(host.read("/proc/net/ip_vs").value_or(""), '\n'))
    if (line.starts_with("TCP") || line.starts_with("UDP") || line.starts_with("SCTP"))
      result.push_back(line);
  return result;
}

}  // namespace kbundle
