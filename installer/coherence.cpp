#include "installer/coherence.hpp"

#include <algorithm>
#include <cstdint>
#include <sstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/runtimes/cri_dockerd.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr const char* kFlags = "/var/lib/kubelet/kubeadm-flags.env";
constexpr const char* kKubeletConfig = "/var/lib/kubelet/config.yaml";

std::string without_scheme(std::string socket) {
  if (socket.starts_with("unix://")) socket.erase(0, 7);
  return socket;
}

// /var/run is a link to /run.
std::string socket_path(const std::string& socket) {
  const std::string path = without_scheme(socket);
  return path.starts_with("/var/run/") ? path.substr(4) : path;
}

std::vector<Json> documents_of(const Host& host, const char* path) {
  const auto text = host.read(path);
  return text ? yaml_documents(*text, path) : std::vector<Json>();
}

Json registration_of(const std::vector<Json>& documents, bool master) {
  const Json document =
      user_document(documents, master ? "InitConfiguration" : "JoinConfiguration");
  return document.contains("nodeRegistration") ? document["nodeRegistration"] : Json::object();
}

std::string text_in(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string()
             ? object[key].get<std::string>()
             : std::string();
}

Agreement pause_image(const Context& context, const std::string& flags) {
  return {"pause image",
          {{"kubeadm", context.pause_image()},
           {context.runtime->name(), context.runtime->sandbox_image()},
           {kFlags, kubelet_flag(flags, "pod-infra-container-image")}}};
}

// The kubelet's flag wins over its configuration file, which all nodes of a cluster share.
Agreement cgroup_driver(const Context& context, const Json& registration,
                        const std::string& flags) {
  Agreement agreement{
      "cgroup driver",
      {{context.runtime->name(), context.runtime->cgroup_driver()},
       {node_path::kubeadm_config, kubelet_extra_arg(registration, "cgroup-driver")}}};
  const std::string flag = kubelet_flag(flags, "cgroup-driver");
  if (!flag.empty()) {
    agreement.sides.push_back({kFlags, flag});
  } else {
    for (const Json& document : documents_of(context.host, kKubeletConfig))
      agreement.sides.push_back({kKubeletConfig, text_in(document, "cgroupDriver")});
  }
  return agreement;
}

Agreement socket(const Context& context, const Json& registration, const std::string& flags) {
  return {"CRI socket",
          {{context.runtime->name(), socket_path(context.runtime->cri_socket())},
           {node_path::kubeadm_config, socket_path(text_in(registration, "criSocket"))},
           {kFlags, socket_path(kubelet_flag(flags, "container-runtime-endpoint"))}}};
}

Agreement architecture(const Context& context) {
  Agreement agreement{"architecture", {{"the host", context.platform.architecture}}};
  const auto add = [&](const std::string& path) {
    std::string head(20, '\0');
    try {
      const auto file = FileRandomSource::open(context.host.at(path));
      head.resize(file.read_at(0, std::as_writable_bytes(std::span(head.data(), head.size()))));
    } catch (const Error&) {
      return;  // what is missing is another phase's business
    }
    agreement.sides.push_back({path, elf_architecture(head)});
  };
  for (const char* name : {"kubeadm", "kubelet", "kubectl"}) add(context.program(name));
  if (const auto runtime = context.host.program(context.runtime->name())) add(*runtime);
  return agreement;
}

}  // namespace

std::string Agreement::difference() const {
  std::vector<std::string> words;
  const std::string first = value();
  bool differs = false;
  for (const Side& side : sides) {
    if (side.value.empty()) continue;
    differs |= side.value != first;
    words.push_back(side.who + " has " + printable(side.value));
  }
  return differs ? thing + ": " + join(words, ", ") : std::string();
}

std::string Agreement::value() const {
  for (const Side& side : sides)
    if (!side.value.empty()) return side.value;
  return {};
}

std::vector<Agreement> agreements(const Context& context) {
  const auto kept = documents_of(context.host, node_path::kubeadm_config);
  const Json registration = registration_of(kept, context.master());
  const std::string flags = context.host.read(kFlags).value_or("");
  return {pause_image(context, flags), cgroup_driver(context, registration, flags),
          socket(context, registration, flags), architecture(context)};
}

std::vector<std::string> incoherences(const Context& context) {
  std::vector<std::string> found;
  for (const Agreement& agreement : agreements(context))
    if (auto difference = agreement.difference(); !difference.empty())
      found.push_back(std::move(difference));

  const Runtime& runtime = *context.runtime;
  const auto images = runtime.images();
  const std::string pause = context.pause_image();
  if (std::none_of(images.begin(), images.end(), [&](const RuntimeImage& image) {
        return image.name == pause && image.complete;
      }))
    found.push_back("pause image: " + pause + " is not in " + runtime.name());
  // The kubelet itself opens dockershim's.
  const bool of_kubelet = runtime.name() == "docker" && has_dockershim(context.facts.version);
  if (!of_kubelet && !context.host.exists(runtime.cri_socket()))
    found.push_back("CRI socket: " + runtime.cri_socket() + " is not there");
  if (auto trouble = runtime.snapshotter_trouble(); !trouble.empty())
    found.push_back("snapshotter: " + trouble);
  if (runtime.cgroup_driver() == "systemd" && !context.host.exists("/run/systemd/system"))
    found.push_back("cgroup driver: " + runtime.name() +
                    " leaves control groups to systemd, which does not run here");
  return found;
}

std::string elf_architecture(std::string_view first_bytes) {
  if (first_bytes.size() < 20 || !first_bytes.starts_with("\x7f"
                                                          "ELF"))
    return {};
  const auto byte = [&](std::size_t at) {
    return static_cast<unsigned>(static_cast<unsigned char>(first_bytes[at]));
  };
  const bool big = byte(5) == 2;
  const unsigned machine = big ? byte(18) << 8U | byte(19) : byte(19) << 8U | byte(18);
  switch (machine) {
    case 62:
      return "amd64";
    case 183:
      return "arm64";
    case 40:
      return "arm";
    case 21:
      return big ? "ppc64" : "ppc64le";
    case 22:
      return "s390x";
    case 243:
      return "riscv64";
    default:
      return {};
  }
}

std::string kubelet_flag(std::string_view flags_env, std::string_view name) {
  std::string text(flags_env);
  std::replace(text.begin(), text.end(), '"', ' ');
  if (const auto equals = text.find('='); equals != std::string::npos) text.erase(0, equals + 1);
  std::istringstream in(text);
  const std::string prefix = "--" + std::string(name) + "=";
  for (std::string word; in >> word;)
    if (word.starts_with(prefix)) return word.substr(prefix.size());
  return {};
}

}  // namespace kbundle
