// Kubernetes' containers and images in Docker. The kubelet labels each container it has made.
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/runtimes/docker_images.hpp"
#include "installer/runtimes/pod_runtime.hpp"

namespace kbundle {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kPodLabel = "label=io.kubernetes.pod.uid";

class DockerPods final : public PodRuntime {
 public:
  explicit DockerPods(const Host& host) : host_(host) {}

  std::string name() const override { return "docker"; }
  std::string unit() const override { return "docker.service"; }

  bool answers() const override {
    return host_.live() && host_.program("docker") &&
           docker({"version", "--format", "{{.Server.Version}}"}, seconds(20)).ok();
  }

  std::vector<std::string> containers() const override {
    return lines(docker({"ps", "-aq", "--no-trunc", "--filter", kPodLabel}, minutes(1)));
  }

  void remove_container(const std::string& id) const override {
    const auto result = docker({"rm", "-f", "-v", id}, minutes(1));
    if (result.ok() || result.errors.find("No such container") != std::string::npos) return;
    throw Error(ExitCode::phase, "the container " + id +
                                     " could not be removed: " + std::string(trim(result.errors)));
  }

  std::vector<std::string> image_names() const override {
    const auto list = docker(
        {"images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"}, minutes(1));
    std::vector<std::string> names;
    for (const RuntimeImage& image : parse_docker_images(list.output)) names.push_back(image.name);
    return names;
  }

  void remove_images(const std::vector<std::string>& names) const override {
    for (const std::string& name : names) {
      const auto result = docker({"rmi", name}, minutes(5));
      if (!result.ok() && result.errors.find("No such image") == std::string::npos)
        throw Error(ExitCode::phase, "the image " + name + " could not be removed: " +
                                         std::string(trim(result.errors)));
    }
  }

  std::vector<std::string> foreign_containers() const override {
    const auto ours = lines(docker({"ps", "-q", "--no-trunc", "--filter", kPodLabel}, minutes(1)));
    const std::set<std::string> pods(ours.begin(), ours.end());
    std::vector<std::string> result;
    for (const std::string& line :
         lines(docker({"ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}"}, minutes(1)))) {
      const auto space = line.find(' ');
      if (space != std::string::npos && !pods.contains(line.substr(0, space)))
        result.push_back("container " + line.substr(space + 1));
    }
    return result;
  }

 private:
  static std::vector<std::string> lines(const CommandResult& result) {
    std::vector<std::string> found;
    if (!result.ok()) return found;
    for (const std::string& line : split(result.output, '\n'))
      if (const auto text = trim(line); !text.empty()) found.emplace_back(text);
    return found;
  }

  CommandResult docker(std::vector<std::string> arguments,
                       std::chrono::milliseconds timeout) const {
    Command command;
    command.argv = {host_.program("docker").value_or("docker")};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.timeout = timeout;
    return host_.run(std::move(command));
  }

  const Host& host_;
};

}  // namespace

std::unique_ptr<PodRuntime> make_docker_pods(const Host& host) {
  return std::make_unique<DockerPods>(host);
}

}  // namespace kbundle
