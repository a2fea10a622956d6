// How many transfers run at once with one host: as many as it bears. Additive increase,
// multiplicative decrease, as TCP does it with its window (RFC 5681, section 3.1).
#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace kbundle {

/// Thread-safe. A host begins with kFirst transfers at once. After as many good ones as that, one
/// more is let in, up to `most`; one that failed or was turned away (429, 5xx) halves the number,
/// but a bunch that was under way together does so once only.
class HostGate {
 public:
  static constexpr std::size_t kFirst = 4;
  explicit HostGate(std::size_t most) : most_(most == 0 ? 1 : most) {}

  /// One transfer; waits for its turn. Error{interrupted} when a stop was asked for.
  class Pass {
   public:
    Pass(HostGate& gate, const std::string& host);
    ~Pass();
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    friend class HostGate;
    HostGate& gate_;
    const std::string host_;
    std::size_t since_ = 0;  // decreases of the host when this one began
  };

  void went_well(const Pass& pass);
  void pressed(const Pass& pass);
  /// How many the host is given at the moment.
  std::size_t limit(const std::string& host) const;

 private:
  struct Host {
    std::size_t limit = kFirst;
    std::size_t running = 0;
    std::size_t good = 0;       // since the limit last changed
    std::size_t decreases = 0;  // in all
  };
  Host& host_of(const std::string& name);

  const std::size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable left_;
  std::map<std::string, Host> hosts_;
};

}  // namespace kbundle
