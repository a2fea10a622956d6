#include "registry/host_gate.hpp"

#include <algorithm>
#include <chrono>

#include "core/interrupt.hpp"

namespace kbundle {

HostGate::Host& HostGate::host_of(const std::string& name) {
  const auto [entry, is_new] = hosts_.try_emplace(name);
  if (is_new) entry->second.limit = std::min(kFirst, most_);
  return entry->second;
}

HostGate::Pass::Pass(HostGate& gate, const std::string& host) : gate_(gate), host_(host) {
  std::unique_lock lock(gate_.mutex_);
  Host& mine = gate_.host_of(host_);
  while (mine.running >= mine.limit) {
    gate_.left_.wait_for(lock, std::chrono::milliseconds(200));
    throw_if_interrupted();
  }
  ++mine.running;
  since_ = mine.decreases;
}

HostGate::Pass::~Pass() {
  const std::lock_guard lock(gate_.mutex_);
  --gate_.host_of(host_).running;
  gate_.left_.notify_all();
}

void HostGate::went_well(const Pass& pass) {
  const std::lock_guard lock(mutex_);
  Host& host = host_of(pass.host_);
  if (++host.good < host.limit || host.limit == most_) return;
  ++host.limit;
  host.good = 0;
  left_.notify_all();
}

void HostGate::pressed(const Pass& pass) {
  const std::lock_guard lock(mutex_);
  Host& host = host_of(pass.host_);
  host.good = 0;
  if (pass.since_ != host.decreases) return;  // it began before the last decrease
  host.limit = std::max<std::size_t>(1, host.limit / 2);
  ++host.decreases;
}

std::size_t HostGate::limit(const std::string& host) const {
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? std::min(kFirst, most_) : found->second.limit;
}

}  // namespace kbundle
