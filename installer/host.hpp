// The node that is worked on: its files under a root, its programs, its addresses. The seam that
// unit tests replace.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/digest.hpp"
#include "core/process.hpp"
#include "registry/types.hpp"

namespace kbundle {

/// An address of a network interface of the host.
struct InterfaceAddress {
  std::string interface;
  std::string address;  ///< "10.77.0.2"
  int prefix = 0;       ///< bits
  bool v6 = false;
};

/// What of a node is about to be changed.
enum class Touch {
  file,    ///< written, replaced or removed; the name is its absolute path
  unit,    ///< enabled, disabled, started, stopped or masked
  sysctl,  ///< set while the system runs; the name is the key, "net.ipv4.ip_forward"
  module,  ///< loaded into the kernel
  swap,    ///< turned off; the name is the device or file
};

class Host {
 public:
  explicit Host(std::filesystem::path root = "/", bool keep_proxy = false);
  virtual ~Host() = default;

  /// Whether the root is the running host's own; commands make sense only then.
  virtual bool live() const { return root_ == "/"; }
  /// Where an absolute path of the node lies.
  std::filesystem::path at(std::string_view absolute) const;

  bool exists(std::string_view absolute) const;
  /// The whole file, nullopt when absent (or not readable, when not run by root).
  std::optional<std::string> read(std::string_view absolute) const;
  /// Makes the folders it needs and publishes the file.
  void write(std::string_view absolute, std::string_view content, unsigned mode = 0644) const;
  /// Removes a file; absence is fine.
  void remove(std::string_view absolute) const;
  /// Names in a folder, sorted; empty when there is none.
  std::vector<std::string> list(std::string_view absolute) const;
  /// SHA-256 of a file's content, nullopt when absent. Remembered while the file's identity, size
  /// and times stay as they are. May be called by several threads at once.
  std::optional<Digest> digest(std::string_view absolute) const;
  /// Permission bits, 0 when absent.
  unsigned mode(std::string_view absolute) const;
  /// A folder that comes first in the children's PATH (--bin-dir); empty: none.
  void set_bin_dir(std::string folder) { bin_dir_ = std::move(folder); }
  /// Absolute path on the node of a program in the children's PATH.
  std::optional<std::string> program(const std::string& name) const;

  /// Called before each change of the node, so that the state before can be kept. write() and
  /// remove() tell it themselves; who changes the node in another way says touching() first.
  using TouchHook = std::function<void(Touch, const std::string& name)>;
  void on_touch(TouchHook hook) { hook_ = std::move(hook); }
  void touching(Touch what, const std::string& name) const {
    if (hook_) hook_(what, name);
  }

  virtual CommandResult run(Command command) const;
  /// A non-zero exit or a timeout is Error{phase} with the tail of what was printed.
  CommandResult run_checked(Command command) const;
  /// No command runs longer than until then; past it, commands fail with Error{phase}.
  void set_deadline(std::optional<std::chrono::steady_clock::time_point> deadline) {
    deadline_ = deadline;
  }
  /// Throws Error{phase} past the deadline, Error{interrupted} after a signal.
  void check_deadline(std::string_view waiting_for) const;
  /// Sleeps, looking at signals and the deadline.
  virtual void pause(std::chrono::milliseconds time, std::string_view waiting_for) const;

  virtual bool is_root() const;
  /// Of interfaces that are up, without loopback, link-local and container networks.
  virtual std::vector<InterfaceAddress> addresses() const;
  virtual Platform platform() const;
  std::string hostname() const;  ///< lower case
  /// Sends an empty datagram to an address, so that the kernel looks for its neighbour.
  virtual void poke(const std::string& address) const;

 private:
  std::filesystem::path root_;
  bool keep_proxy_;
  std::string bin_dir_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;

  struct Digests;
  std::shared_ptr<Digests> digests_;
  TouchHook hook_;
};

/// Interfaces of container networks ("cni0", "veth…", "docker0") never carry a node's address.
bool is_container_interface(std::string_view name);

}  // namespace kbundle
