// Kubernetes' containers and images in containerd, through its own ctr: crictl may be absent.
#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/runtimes/pod_runtime.hpp"

namespace kbundle {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class ContainerdPods final : public PodRuntime {
 public:
  ContainerdPods(const Host& host, std::string socket) : host_(host), socket_(std::move(socket)) {}

  std::string name() const override { return "containerd"; }
  std::string socket() const override { return socket_; }
  std::string unit() const override { return "containerd.service"; }

  bool answers() const override { return host_.live() && ctr({"version"}, seconds(10)).ok(); }

  std::vector<std::string> containers() const override {
    return names(ctr({"-n", "k8s.io", "containers", "ls", "-q"}, minutes(1)));
  }

  void remove_container(const std::string& id) const override {
    // Killed and waited for; a task that never ran, or ended, is fine.
    const auto task = ctr({"-n", "k8s.io", "tasks", "rm", "--force", id}, minutes(1));
    const auto result = ctr({"-n", "k8s.io", "containers", "rm", id}, minutes(1));
    if (result.ok() || result.errors.find("not found") != std::string::npos) return;
    throw Error(ExitCode::phase, "the container " + id +
                                     " could not be removed: " + std::string(trim(result.errors)) +
                                     (task.ok() ? "" : " " + std::string(trim(task.errors))));
  }

  std::vector<std::string> image_names() const override {
    return names(ctr({"-n", "k8s.io", "images", "ls", "-q"}, minutes(1)));
  }

  std::vector<std::string> leases() const override {
    return names(ctr({"-n", "k8s.io", "leases", "ls", "-q"}, minutes(1)));
  }

  void remove_lease(const std::string& id) const override {
    (void)ctr({"-n", "k8s.io", "leases", "rm", id}, minutes(1));
  }

  void remove_images(const std::vector<std::string>& images) const override {
    for (std::size_t i = 0; i < images.size(); ++i) {
      std::vector<std::string> argv = {"-n", "k8s.io", "images", "rm"};
      // The last one waits until the content is gone, too.
      if (i + 1 == images.size()) argv.emplace_back("--sync");
      argv.push_back(images[i]);
      const auto result = ctr(argv, minutes(5));
      if (!result.ok() && result.errors.find("not found") == std::string::npos)
        throw Error(ExitCode::phase, "the image " + images[i] + " could not be removed: " +
                                         std::string(trim(result.errors)));
    }
  }

  std::vector<std::string> foreign_containers() const override {
    std::vector<std::string> result;
    if (!answers()) return result;
    for (const std::string& space : names(ctr({"namespaces", "ls", "-q"}, seconds(20)))) {
      if (space == "k8s.io") continue;
      if (!names(ctr({"-n", space, "tasks", "ls", "-q"}, seconds(20))).empty())
        result.push_back("namespace " + space);
    }
    return result;
  }

 private:
  static std::vector<std::string> names(const CommandResult& result) {
    std::vector<std::string> found;
    if (!result.ok()) return found;
    for (const std::string& line : split(result.output, '\n'))
      if (const auto word = trim(line); !word.empty()) found.emplace_back(word);
    return found;
  }

  CommandResult ctr(std::vector<std::string> arguments, std::chrono::milliseconds timeout) const {
    const auto program = host_.program("ctr");
    if (!program) return {127, false, "", "ctr is not there"};
    Command command;
    command.argv = {*program, "--address", socket_};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.timeout = timeout;
    return host_.run(std::move(command));
  }

  const Host& host_;
  std::string socket_;
};

}  // namespace

std::unique_ptr<PodRuntime> make_containerd_pods(const Host& host, std::string socket) {
  return std::make_unique<ContainerdPods>(host, std::move(socket));
}

}  // namespace kbundle
