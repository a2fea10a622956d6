// Kernel modules, sysctl, swap, and the service network's route on a host without a default route.
#include <algorithm>
#include <sstream>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/phases/phases.hpp"
#include "installer/sysctl.hpp"
#include "manifests/templates.hpp"

namespace kbundle {
namespace {

constexpr const char* kModules = "/etc/modules-load.d/kubernetes.conf";
// After 99-sysctl.conf, the host's own /etc/sysctl.conf: the last file wins at boot.
constexpr const char* kSysctl = "/etc/sysctl.d/99-zz-kubernetes.conf";
constexpr const char* kFstab = "/etc/fstab";
constexpr const char* kFstabBackup = "/etc/fstab.kbundle-backup";
constexpr const char* kRouteUnit = "/etc/systemd/system/kbundle-service-route.service";
constexpr const char* kRouteName = "kbundle-service-route.service";

struct Setting {
  std::string key, value;
  std::string proc() const { return sysctl_file(key); }
  bool optional() const { return key.find("ip6tables") != std::string::npos; }
};

std::vector<Setting> settings_in(const std::string& text) {
  std::vector<Setting> result;
  for (const std::string& line : split(text, '\n')) {
    const auto equals = line.find('=');
    if (trim(line).starts_with("#") || equals == std::string::npos) continue;
    result.push_back({std::string(trim(std::string_view(line).substr(0, equals))),
                      std::string(trim(std::string_view(line).substr(equals + 1)))});
  }
  return result;
}

std::vector<std::string> modules() {
  std::vector<std::string> result;
  for (const std::string& line : split(template_text("modules.conf"), '\n'))
    if (!trim(line).empty() && !trim(line).starts_with("#")) result.emplace_back(trim(line));
  return result;
}

std::string first_word(const std::string& line) {
  std::istringstream in(line);
  std::string word;
  in >> word;
  return word;
}

class HostPhase final : public Phase {
 public:
  explicit HostPhase(Context& context)
      : Phase("host", "kernel modules, sysctl, swap, routes", std::chrono::minutes(2)),
        context_(context),
        host_(context.host) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    for (const std::string& name : modules())
      if (host_.live() && !available(name)) actions.push_back("run modprobe " + name);
    if (host_.read(kModules) != template_text("modules.conf"))
      actions.push_back(std::string("write ") + kModules);
    if (host_.read(kSysctl) != sysctl_text()) actions.push_back(std::string("write ") + kSysctl);
    for (const Setting& setting : settings_in(sysctl_text()))
      if (host_.live() && !holds(setting))
        actions.push_back("write " + setting.value + " to " + setting.proc());
    if (context_.options.swapoff) {
      if (!swap_areas().empty()) actions.emplace_back("run swapoff -a");
      if (fstab_without_swap() != host_.read(kFstab).value_or(""))
        actions.push_back(std::string("write ") + kFstab + ": swap lines become comments");
    }
    if (needs_route()) {
      if (host_.read(kRouteUnit) != route_unit())
        actions.push_back(std::string("write ") + kRouteUnit);
      if (!route_is_there())
        actions.push_back(std::string("run systemctl enable --now ") + kRouteName);
    }
    if (actions.empty()) return PhaseCheck::done("as Kubernetes needs it");
    return PhaseCheck::todo("the kernel and the network are prepared", actions);
  }

  void apply() override {
    for (const std::string& name : modules()) load(name);
    publish(kModules, template_text("modules.conf"));
    publish(kSysctl, sysctl_text());
    if (host_.live())
      for (const Setting& setting : settings_in(sysctl_text())) set(setting);
    if (context_.options.swapoff) turn_swap_off();
    if (needs_route()) add_route();
  }

 private:
  // A node with an IPv6 address forwards IPv6 as well.
  std::string sysctl_text() const {
    std::string text(template_text("sysctl.conf"));
    if (context_.network.kubelet_node_ip().find(':') != std::string::npos)
      text += "net.ipv6.conf.all.forwarding = 1\nnet.ipv6.conf.default.forwarding = 1\n";
    return text;
  }

  void publish(const char* path, std::string_view text) {
    if (host_.read(path) != text) host_.write(path, text);
  }

  // A module may be built in, or loaded for a container by its host.
  bool available(const std::string& name) const {
    if (host_.exists("/sys/module/" + name)) return true;
    if (name == "br_netfilter") return host_.exists("/proc/sys/net/bridge");
    const std::string filesystems = host_.read("/proc/filesystems").value_or("");
    return filesystems.find("\t" + name + "\n") != std::string::npos;
  }

  void load(const std::string& name) {
    if (!host_.live() || available(name)) return;
    host_.touching(Touch::module, name);
    const auto result =
        host_.run({.argv = {"modprobe", name}, .timeout = std::chrono::seconds(30)});
    if (available(name)) return;
    if (name == "br_netfilter" && !context_.facts.needs_bridge_nf) {
      context_.progress.warn(
          "the kernel module br_netfilter is not there; this Kubernetes does "
          "not insist on it");
      return;
    }
    throw Error(
        ExitCode::phase,
        "the kernel module " + name + " cannot be loaded: " + std::string(trim(result.errors)),
        "install the kernel's module package, then run the same command again");
  }

  bool holds(const Setting& setting) const {
    const auto value = host_.read(setting.proc());
    return value ? trim(*value) == setting.value : setting.optional();
  }

  void set(const Setting& setting) {
    if (holds(setting)) return;
    if (!host_.exists(setting.proc()) && !context_.facts.needs_bridge_nf) return;
    host_.touching(Touch::sysctl, setting.key);
    set_sysctl(host_, setting.key, setting.value);
    if (!holds(setting))
      throw Error(ExitCode::phase, setting.key + " stays as it is instead of " + setting.value,
                  "look which program resets it (another file in /etc/sysctl.d?)");
  }

  std::vector<std::string> swap_areas() const {
    std::vector<std::string> result;
    auto lines = split(host_.read("/proc/swaps").value_or(""), '\n');
    for (std::size_t i = 1; i < lines.size(); ++i)
      if (!trim(lines[i]).empty()) result.push_back(first_word(lines[i]));
    return result;
  }

  std::string fstab_without_swap() const {
    std::string result;
    const std::string text = host_.read(kFstab).value_or("");
    for (const std::string& line : split(text, '\n')) {
      std::istringstream in(line);
      std::string device, folder, type;
      in >> device >> folder >> type;
      const bool swap = !device.starts_with("#") && type == "swap";
      result += (swap ? "# off for Kubernetes: " : "") + line + "\n";
    }
    if (!result.empty()) result.pop_back();
    return result;
  }

  void turn_swap_off() {
    if (!swap_areas().empty()) {
      // Units that no fstab line stands behind (zram, systemd's GPT discovery) would come back.
      // Masked first: once swap is off, a run after a kill in between would not come here again.
      const auto units = host_.run(
          {.argv = {"systemctl", "list-units", "--all", "--type=swap", "--plain", "--no-legend"}});
      for (const std::string& line : split(units.output, '\n'))
        if (const std::string unit = first_word(line); unit.ends_with(".swap")) {
          host_.touching(Touch::unit, unit);
          host_.run({.argv = {"systemctl", "mask", unit}});
        }
      for (const std::string& area : swap_areas()) host_.touching(Touch::swap, area);
      host_.run_checked({.argv = {"swapoff", "-a"}, .timeout = std::chrono::minutes(2)});
    }
    const std::string before = host_.read(kFstab).value_or("");
    const std::string after = fstab_without_swap();
    if (before == after) return;
    if (!host_.exists(kFstabBackup)) host_.write(kFstabBackup, before, host_.mode(kFstab));
    host_.write(kFstab, after, host_.mode(kFstab));
  }

  // Without any route to it, a program on the host gets "network unreachable" for a service's
  // address before kube-proxy's rules see the packet.
  bool needs_route() const {
    return !context_.network.default_route && !context_.network.interface.empty();
  }

  std::string ip_program() const { return host_.program("ip").value_or("/usr/sbin/ip"); }

  std::vector<std::string> route_command(const char* verb) const {
    const bool v6 = context_.network.node_ip.find(':') != std::string::npos;
    std::vector<std::string> argv = {ip_program()};
    if (v6) argv.emplace_back("-6");
    argv.insert(argv.end(), {"route", verb, split(context_.service_subnet, ',').at(0), "dev",
                             context_.network.interface, "src", context_.network.node_ip});
    return argv;
  }

  std::string route_unit() const {
    return "[Unit]\n"
           "Description=Route for Kubernetes' service network (this host has no default route)\n"
           "Wants=network-online.target\n"
           "After=network-online.target\n"
           "Before=kubelet.service\n"
           "\n"
           "[Service]\n"
           "Type=oneshot\n"
           "RemainAfterExit=yes\n"
           "ExecStart=" +
           join(route_command("replace"), " ") + "\nExecStop=-" + join(route_command("del"), " ") +
           "\n"
           "\n"
           "[Install]\n"
           "WantedBy=multi-user.target\n";
  }

  bool route_is_there() const {
    if (!host_.live()) return true;
    const bool v6 = context_.network.node_ip.find(':') != std::string::npos;
    std::vector<std::string> argv = {"ip"};
    if (v6) argv.emplace_back("-6");
    argv.insert(argv.end(), {"route", "show", split(context_.service_subnet, ',').at(0)});
    const auto result = host_.run({.argv = argv, .timeout = std::chrono::seconds(10)});
    return result.ok() && !trim(result.output).empty();
  }

  void add_route() {
    publish(kRouteUnit, route_unit());
    if (!host_.live()) return;
    host_.run_checked({.argv = {"systemctl", "daemon-reload"}});
    host_.touching(Touch::unit, kRouteName);
    host_.run_checked({.argv = {"systemctl", "enable", kRouteName}});
    host_.run_checked({.argv = {"systemctl", "restart", kRouteName}});
  }

  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_host_phase(Context& context) {
  return std::make_unique<HostPhase>(context);
}

}  // namespace kbundle
