// A node in a temporary folder: files are real, commands are answered by the test.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/file.hpp"
#include "installer/host.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace kbundle::test {

using TempRoot = TemporaryFolder;

/// Live in all but its root; each command is recorded and answered.
class FakeHost : public Host {
 public:
  explicit FakeHost(const TempRoot& root) : Host(root.path()) {}

  bool live() const override { return true; }
  bool is_root() const override { return true; }
  Platform platform() const override { return Platform::parse("linux/amd64"); }
  std::vector<InterfaceAddress> addresses() const override { return addresses_; }
  void poke(const std::string&) const override {}
  void pause(std::chrono::milliseconds, std::string_view) const override {}
  CommandResult run(Command command) const override {
    commands_.push_back(to_shell(command.argv));
    return answer_ ? answer_(command.argv) : CommandResult{1, false, "", ""};
  }

  std::vector<InterfaceAddress> addresses_ = {{"eth0", "10.0.0.5", 24, false}};
  std::function<CommandResult(const std::vector<std::string>&)> answer_;
  mutable std::vector<std::string> commands_;
};

}  // namespace kbundle::test
