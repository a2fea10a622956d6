// Docker, which the kubelet speaks to by itself until Kubernetes 1.23 (dockershim), and through
// cri-dockerd from then on. It is the host's own: kbundle starts it, loads images into it, and
// leaves its settings alone.
#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/runtimes/cri_dockerd.hpp"
#include "installer/runtimes/docker_images.hpp"
#include "installer/service_logs.hpp"
#include "registry/reference.hpp"

namespace kbundle {

std::vector<RuntimeImage> parse_docker_images(const std::string& list) {
  std::vector<RuntimeImage> images;
  for (const std::string& line : split(list, '\n')) {
    const auto space = line.find(' ');
    if (space == std::string::npos || line.find("<none>") != std::string::npos) continue;
    RuntimeImage image;
    // Docker leaves "docker.io/library/" out.
    image.name = Reference::parse(line.substr(0, space)).str();
    image.digest = Digest::parse(trim(line.substr(space + 1)));
    image.complete = true;
    image.pinned = true;
    images.push_back(std::move(image));
  }
  return images;
}

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kUnit = "docker.service";
constexpr const char* kDockershim = "/var/run/dockershim.sock";

class Docker final : public Runtime {
 public:
  explicit Docker(Context& context) : context_(context) {
    if (!has_dockershim(context.facts.version)) bridge_.emplace(context, cri_socket());
  }

  std::string name() const override { return "docker"; }
  std::string unit() const override { return kUnit; }
  bool host_has_own() const override { return true; }

  std::string version() const override {
    return word({"version", "--format", "{{.Server.Version}}"});
  }

  PhaseCheck check() override {
    if (!context_.host.program("docker"))
      return PhaseCheck::conflict("there is no Docker on the host, and the bundle brings none");
    const PhaseCheck bridge = bridge_ ? bridge_->check() : PhaseCheck::done("");
    if (bridge.state == PhaseState::conflict) return bridge;
    std::vector<std::string> actions;
    std::string reason;
    if (!answers()) {
      reason = "Docker is started";
      actions.push_back(std::string("run systemctl start ") + kUnit);
    } else if (!enabled()) {
      reason = "Docker shall start with the host";
      actions.push_back(std::string("run systemctl enable ") + kUnit);
    }
    if (bridge.state == PhaseState::todo) {
      reason += (reason.empty() ? "" : ", ") + bridge.reason;
      actions.insert(actions.end(), bridge.actions.begin(), bridge.actions.end());
    }
    if (!actions.empty()) return PhaseCheck::todo(reason, actions);
    return PhaseCheck::done("Docker " + version() + " answers" +
                            (bridge_ ? " through cri-dockerd" : "") + ", cgroup driver " +
                            cgroup_driver());
  }

  void ensure() override {
    Host& host = context_.host;
    try {
      host.touching(Touch::unit, kUnit);
      host.run_checked({.argv = {"systemctl", "enable", kUnit}});
      if (!answers())
        host.run_checked({.argv = {"systemctl", "start", kUnit}, .timeout = minutes(2)});
      while (!answers()) host.pause(seconds(1), "Docker");
    } catch (const Error& error) {
      if (error.code() == ExitCode::interrupted) throw;
      const std::string logs = journal_tail(host, kUnit, 12);
      throw Error(error.code(), error.message() + (logs.empty() ? "" : "\n" + logs), error.hint());
    }
    if (bridge_) bridge_->ensure();
  }

  std::string cri_socket() const override {
    const std::string& given = context_.options.cri_socket;
    if (given.empty())
      return has_dockershim(context_.facts.version) ? kDockershim : CriDockerd::kSocket;
    return given.starts_with("unix://") ? given.substr(7) : given;
  }

  std::string cgroup_driver() const override {
    const std::string driver = word({"info", "--format", "{{.CgroupDriver}}"});
    return driver.empty() ? "cgroupfs" : driver;
  }

  std::string sandbox_image() const override {
    return bridge_ ? bridge_->sandbox_image() : std::string();
  }

  std::string data_root() const override {
    const std::string root = word({"info", "--format", "{{.DockerRootDir}}"});
    return root.empty() ? "/var/lib/docker" : root;
  }

  bool answers() const override { return !version().empty(); }

  std::vector<RuntimeImage> images() const override {
    return parse_docker_images(
        docker({"images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"}, minutes(2))
            .output);
  }

  // The image's id. Docker keeps no manifest of what was not pulled from a registry.
  Digest listed_digest(const ImageRecord& image) const override {
    for (const ImagePlatform& one : image.platforms)
      if (context_.platform.accepts(one.platform)) return one.config;
    return image.digest;
  }
  // It looks for each layer above the same ones below, so another image's is no help.
  bool takes_partial_archives() const override { return false; }

  void load(const std::function<void(Sink&)>& feed) override {
    Command command;
    command.argv = {program(), "load", "--quiet"};
    command.feed = feed;
    command.timeout = minutes(60);
    context_.host.run_checked(std::move(command));
  }

  // Docker itself removes nothing, and the kubelet is told to keep images.
  void pin(const std::string&) override {}

  void sync() override {
    const auto path = context_.host.at(data_root());
    const UniqueFd folder = open_file(path, O_RDONLY | O_DIRECTORY);
    if (::syncfs(folder.get()) != 0) throw_errno("sync the disk of " + path.string(), errno);
  }

 private:
  std::string program() const { return context_.host.program("docker").value_or("docker"); }

  CommandResult docker(std::vector<std::string> arguments,
                       std::chrono::milliseconds timeout) const {
    if (!context_.host.live() || !context_.host.program("docker")) return {1, false, "", ""};
    Command command;
    command.argv = {program()};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.timeout = timeout;
    return context_.host.run(std::move(command));
  }

  std::string word(std::vector<std::string> arguments) const {
    const auto result = docker(std::move(arguments), seconds(20));
    return result.ok() ? std::string(trim(result.output)) : std::string();
  }

  bool enabled() const {
    const auto state = context_.host.run(
        {.argv = {"systemctl", "is-enabled", kUnit}, .timeout = std::chrono::seconds(20)});
    return trim(state.output) == "enabled";
  }

  Context& context_;
  std::optional<CriDockerd> bridge_;
};

}  // namespace

std::unique_ptr<Runtime> make_docker(Context& context) {
  return std::make_unique<Docker>(context);
}

}  // namespace kbundle
