#include "installer/status/status.hpp"

#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "installer/status/checks.hpp"

namespace kbundle {
namespace {

using State = StatusLine::State;

constexpr std::size_t kAtOnce = 6;  // most of the time is spent waiting for other programs
constexpr auto kApiPatience = std::chrono::seconds(4);

const char* word_of(State state) {
  switch (state) {
    case State::ok:
      return "ok";
    case State::warning:
      return "warning";
    case State::error:
      return "error";
  }
  return "";
}

std::ptrdiff_t count(const std::vector<StatusLine>& lines, State state) {
  return std::count_if(lines.begin(), lines.end(),
                       [&](const StatusLine& line) { return line.state == state; });
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

// A topic that cannot be looked at is one that is not well; the others are looked at all the same.
StatusLines caught(const char* name, const std::function<StatusLines()>& look) {
  try {
    return look();
  } catch (const Error& error) {
    if (error.code() == ExitCode::interrupted) throw;
    return {bad(name, "cannot be looked at: " + error.message(), error.hint())};
  }
}

}  // namespace

bool NodeStatus::healthy() const {
  return count(lines, State::error) == 0;
}

std::string NodeStatus::table() const {
  constexpr std::size_t kCheck = 15, kState = 9, kWidth = 80;
  std::string text = padded("CHECK", kCheck) + padded("STATE", kState) + "WHAT\n";
  for (const StatusLine& line : lines) {
    const std::string head = padded(line.check, kCheck) + padded(word_of(line.state), kState);
    const std::string body = wrap(printable(line.what), kWidth, kCheck + kState);
    text += head + body.substr(kCheck + kState);
    if (!line.next.empty()) text += wrap("next: " + line.next, kWidth, kCheck + kState);
  }
  return text;
}

Json NodeStatus::json() const {
  Json checks = Json::array(), ends = Json::array();
  for (const StatusLine& line : lines)
    checks.push_back({{"check", line.check},
                      {"state", word_of(line.state)},
                      {"message", line.what},
                      {"next", line.next}});
  const auto now = std::chrono::system_clock::now();
  for (const NodeCertificate& certificate : certificates) {
    Json entry = {{"name", certificate.name}, {"file", certificate.file}};
    if (certificate.facts) {
      entry["subject"] = certificate.facts->subject;
      entry["not_before"] = rfc3339(certificate.facts->not_before);
      entry["not_after"] = rfc3339(certificate.facts->not_after);
      entry["days_left"] = days_left(certificate.facts->not_after, now);
    }
    ends.push_back(std::move(entry));
  }
  return {{"healthy", healthy()},     {"kubernetes_version", receipt.kubernetes_version},
          {"role", receipt.role},     {"node_name", receipt.node_name},
          {"bundle", receipt.bundle}, {"installed", receipt.installed},
          {"checks", checks},         {"certificates", ends}};
}

NodeStatus look_at_status(Host& host, Progress& progress) {
  const Journal journal = Journal::look(host.at(node_path::journal));
  NodeStatus result;
  if (journal.resetting()) {
    result.lines.push_back(
        bad("install", "a reset of this host has not come to its end", "kbundle reset"));
    return result;
  }
  if (!Receipt::read(host) && journal.has_plan()) {
    result.lines.push_back(
        bad("install",
            journal.started() ? "the " + journal.plan().action + " stopped in phase " +
                                    journal.last_phase() + ", before its end"
                              : "the " + journal.plan().action + " has not begun its first phase",
            install_command(journal.plan())));
    return result;
  }
  auto task = progress.start("look at this node");
  InstalledNode node(installed_receipt(host, journal, "status"), host, progress, journal);
  node.context.kubectl_timeout = kApiPatience;
  result.receipt = node.receipt;
  result.certificates = node_certificates(host);

  struct Topic {
    const char* name;
    std::function<StatusLines()> look;
  };
  const std::vector<Topic> topics = {
      {"install", [&] { return status_of_install(node); }},
      {"programs", [&] { return status_of_programs(node); }},
      {"host", [&] { return status_of_host(node); }},
      {"units", [&] { return status_of_units(node); }},
      {"swap", [&] { return status_of_swap(node); }},
      {"resolver", [&] { return status_of_resolver(node); }},
      {"runtime", [&] { return status_of_runtime(node); }},
      {"images", [&] { return status_of_images(node); }},
      {"kubelet", [&] { return status_of_kubeadm_files(node); }},
      {"etcd", [&] { return status_of_etcd(node); }},
      {"certificates",
       [&] {
         return status_of_certificates(result.certificates, std::chrono::system_clock::now());
       }},
      {"node", [&] { return status_of_node(node); }},
  };
  std::vector<StatusLines> answers(topics.size());
  for_each_parallel(topics.size(), kAtOnce,
                    [&](std::size_t i) { answers[i] = caught(topics[i].name, topics[i].look); });
  for (StatusLines& lines : answers)
    result.lines.insert(result.lines.end(), lines.begin(), lines.end());
  task->done();
  return result;
}

void status(bool json, Progress& progress, std::ostream& out) {
  Host host;
  if (!host.is_root())
    throw Error(ExitCode::preflight, "status reads root's files and needs root",
                "run it with sudo");
  const NodeStatus now = look_at_status(host, progress);
  out << (json ? now.json().dump(2) + "\n" : now.table());
  if (now.healthy()) {
    if (!json) out << "this node is healthy\n";
    return;
  }
  const auto first = std::find_if(now.lines.begin(), now.lines.end(), [](const StatusLine& line) {
    return line.state == State::error;
  });
  throw Error(ExitCode::phase,
              "this node is not healthy: " + std::to_string(count(now.lines, State::error)) +
                  " error(s), " + std::to_string(count(now.lines, State::warning)) + " warning(s)",
              first->next);
}

}  // namespace kbundle
