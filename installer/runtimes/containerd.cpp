// containerd: the host's own is configured and kept, the bundle's is set up where there is none.
#include "installer/runtimes/containerd.hpp"

#include <algorithm>
#include <sstream>

#include "core/error.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "installer/context.hpp"
#include "installer/runtimes/containerd_images.hpp"
#include "manifests/templates.hpp"

namespace kbundle {
namespace {

constexpr const char* kConfig = "/etc/containerd/config.toml";
constexpr const char* kBackup = "/etc/containerd/config.toml.kbundle-backup";
constexpr const char* kUnit = "/etc/systemd/system/containerd.service";
constexpr const char* kSocket = "/run/containerd/containerd.sock";

std::vector<std::string> fields(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> result;
  for (std::string word; in >> word;) result.push_back(word);
  return result;
}

std::string with_value(std::string text, const std::string& mark, const std::string& value) {
  if (const auto at = text.find(mark); at != std::string::npos)
    text.replace(at, mark.size(), value);
  return text;
}

// "1.6" against "1.6.20~ds1": only major and minor count.
bool older(const Version& have, const std::string& minor) {
  const auto limit = Version::parse(minor + ".0");
  return limit && std::pair(have.major, have.minor) < std::pair(limit->major, limit->minor);
}
bool newer(const Version& have, const std::string& minor) {
  const auto limit = Version::parse(minor + ".0");
  return limit && std::pair(have.major, have.minor) > std::pair(limit->major, limit->minor);
}

}  // namespace

bool cri_plugin_ok(const std::string& ctr_plugins) {
  for (const std::string& line : split(ctr_plugins, '\n')) {
    const auto columns = fields(line);
    if (columns.size() >= 4 && columns[0] == "io.containerd.grpc.v1" && columns[1] == "cri")
      return columns.back() == "ok";
  }
  return false;
}

std::string containerd_version(const std::string& output) {
  // "containerd containerd.io v1.6.20 abc…", "containerd
  // github.com/containerd/containerd 1.6.20~ds1 …"
  for (std::string word : fields(output)) {
    if (word.starts_with("v")) word.erase(0, 1);
    const auto end = word.find_first_not_of("0123456789.");
    const std::string number = word.substr(0, end);
    if (std::count(number.begin(), number.end(), '.') >= 2 && Version::parse(number)) return number;
  }
  return {};
}

namespace {

class Containerd final : public Runtime {
 public:
  explicit Containerd(Context& context) : context_(context) {}

  std::string name() const override { return "containerd"; }

  bool host_has_own() const override {
    const auto found = context_.host.program("containerd");
    if (!found) return false;
    const FileRecord* ours = record("containerd", "containerd");
    return ours == nullptr || *found != ours->path || context_.host.digest(*found) != ours->digest;
  }

  std::string version() const override {
    const auto program = context_.host.program("containerd");
    if (program && context_.host.live())
      return containerd_version(
          context_.host.run({.argv = {*program, "--version"}, .timeout = std::chrono::seconds(20)})
              .output);
    const FileRecord* ours = record("containerd", "containerd");
    return ours == nullptr ? std::string() : containerd_version(ours->version);
  }

  PhaseCheck check() override {
    if (auto trouble = unfit(); !trouble.empty()) return PhaseCheck::conflict(trouble);
    std::vector<std::string> actions;
    const bool own = host_has_own();
    if (!own && !has_unit()) actions.push_back(std::string("write ") + kUnit);
    const auto merge = wanted_config();
    if (merge.changed) {
      if (context_.host.exists(kConfig) && !context_.host.exists(kBackup))
        actions.push_back(std::string("write ") + kBackup);
      for (const std::string& change : merge.changes)
        actions.push_back(std::string("write ") + kConfig + ": " + change);
    }
    const bool restart = needs_restart(merge.changed);
    if (restart) actions.emplace_back("run systemctl restart containerd");
    if (actions.empty()) {
      if (auto trouble = incoherent(); !trouble.empty()) return PhaseCheck::conflict(trouble);
      return PhaseCheck::done("containerd " + version() + " answers, cgroup driver " +
                              cgroup_driver());
    }
    if (restart && own && !context_.options.restart_runtime) {
      if (const auto others = foreign_containers(); !others.empty())
        return PhaseCheck::conflict(
            "containerd must be restarted, and it runs containers that are not Kubernetes' (" +
                join(others, ", ") + "); --restart-runtime allows it",
            actions);
    }
    return PhaseCheck::todo(own ? "the host's containerd " + version() + " is configured"
                                : "the bundle's containerd is set up",
                            actions);
  }

  void ensure() override {
    if (auto trouble = unfit(); !trouble.empty()) throw Error(ExitCode::preflight, trouble);
    Host& host = context_.host;
    const bool own = host_has_own();
    const auto merge = wanted_config();
    const bool restart = needs_restart(merge.changed);
    if (!own && !has_unit()) host.write(kUnit, template_text("containerd.service"));
    if (merge.changed) {
      if (const auto before = host.read(kConfig); before && !host.exists(kBackup))
        host.write(kBackup, *before, host.mode(kConfig));
      host.write(kConfig, merge.text);
    }
    if (!own) host.run_checked({.argv = {"systemctl", "daemon-reload"}});
    host.touching(Touch::unit, "containerd.service");
    host.run_checked({.argv = {"systemctl", "enable", "containerd.service"}});
    if (restart) host.run_checked({.argv = {"systemctl", "restart", "containerd.service"}});
    wait_until_ready();
    if (auto trouble = incoherent(); !trouble.empty()) throw Error(ExitCode::phase, trouble);
  }

  std::string cri_socket() const override {
    if (!context_.options.cri_socket.empty()) {
      const std::string& given = context_.options.cri_socket;
      return given.starts_with("unix://") ? given.substr(7) : given;
    }
    const auto address = settings().address;
    return address.empty() ? kSocket : address;
  }

  std::string cgroup_driver() const override {
    return settings().systemd_cgroup ? "systemd" : "cgroupfs";
  }

  bool answers() const override {
    if (!context_.host.live() || !context_.host.program("ctr")) return false;
    return ctr({"version"}, std::chrono::seconds(10)).ok();
  }

  std::vector<RuntimeImage> images() const override { return store().images(); }
  void load(const std::function<void(Sink&)>& feed) override { store().load(feed); }
  void pin(const std::string& image) override { store().pin(image); }
  std::vector<DamagedBlob> damaged_content(const std::vector<BlobRecord>& wanted,
                                           bool deep) const override {
    return store().damaged_content(wanted, deep);
  }
  void drop_content(const std::vector<Digest>& digests) override { store().drop_content(digests); }
  void sync() override { store().sync(); }

 private:
  const FileRecord* record(std::string_view component, const std::string& base) const {
    for (const FileRecord& file : context_.inventory.files)
      if (file.component == component && std::filesystem::path(file.path).filename() == base &&
          (file.platform.architecture.empty() || context_.platform.accepts(file.platform)))
        return &file;
    return nullptr;
  }

  ContainerdImages store() const {
    const auto now = settings();
    return ContainerdImages({.host = context_.host,
                             .ctr = program(),
                             .address = cri_socket(),
                             .snapshotter = now.snapshotter,
                             .root = now.root.empty() ? "/var/lib/containerd" : now.root});
  }

  std::string program() const { return context_.host.program("ctr").value_or("ctr"); }

  CommandResult ctr(std::vector<std::string> arguments, std::chrono::milliseconds timeout) const {
    Command command;
    command.argv = {program(), "--address", cri_socket()};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.timeout = timeout;
    return context_.host.run(std::move(command));
  }

  // Why this host's runtime cannot serve the version; empty: it can.
  std::string unfit() const {
    const bool present = context_.host.program("containerd").has_value();
    if (!present && context_.options.runtime == "none")
      return "there is no container runtime, and --runtime none forbids to install one";
    if (!present && record("containerd", "containerd") == nullptr)
      return "there is no containerd on the host and none in the bundle";
    const std::string text = version();
    const auto have = Version::parse(text);
    if (!have) return {};
    const auto& facts = context_.facts;
    if (!facts.min_containerd.empty() && older(*have, facts.min_containerd))
      return "containerd " + text + " is too old: Kubernetes " + facts.version.str() +
             " needs at least " + facts.min_containerd;
    if (!facts.max_containerd.empty() && newer(*have, facts.max_containerd))
      return "containerd " + text + " no longer speaks what Kubernetes " + facts.version.str() +
             " does (CRI v1alpha2): " + facts.max_containerd + " is the last line that serves it";
    return {};
  }

  bool has_unit() const {
    for (const char* folder : {"/etc/systemd/system", "/usr/local/lib/systemd/system",
                               "/usr/lib/systemd/system", "/lib/systemd/system"})
      if (context_.host.exists(std::string(folder) + "/containerd.service")) return true;
    return false;
  }

  ContainerdMerge wanted_config() const {
    const ContainerdWish wish{.sandbox_image = context_.pause_image()};
    if (const auto text = context_.host.read(kConfig))
      return merge_containerd_config(*text, wish, kConfig);
    ContainerdMerge merge;
    merge.changed = true;
    merge.text = with_value(std::string(template_text("containerd-config.toml")), "@pause_image@",
                            wish.sandbox_image);
    merge.changes.push_back("the whole file, sandbox_image = \"" + wish.sandbox_image + "\"");
    return merge;
  }

  // What containerd itself makes of its files (imports included), or the file when it cannot be
  // asked.
  ContainerdSettings settings() const {
    const auto program = context_.host.program("containerd");
    const auto file = context_.host.read(kConfig);
    if (program && file && context_.host.live() && context_.host.is_root()) {
      const auto dump = context_.host.run(
          {.argv = {*program, "config", "dump"}, .timeout = std::chrono::seconds(20)});
      if (dump.ok() && !dump.output.empty())
        return read_containerd_config(dump.output, "`containerd config dump`");
    }
    if (file) return read_containerd_config(*file, kConfig);
    return read_containerd_config(wanted_config().text, "containerd-config.toml");
  }

  bool needs_restart(bool changed) const {
    if (changed) return true;
    const Journal* journal = context_.journal;
    // Killed between writing and restarting: do it again.
    if (journal != nullptr && journal->begun("runtime") && !journal->ended("runtime")) return true;
    return !answers() || !cri_answers();
  }

  bool cri_answers() const {
    const auto plugins = ctr({"plugins", "ls"}, std::chrono::seconds(20));
    return plugins.ok() && cri_plugin_ok(plugins.output);
  }

  std::vector<std::string> foreign_containers() const {
    std::vector<std::string> result;
    if (!answers()) return result;
    for (const std::string& line :
         split(ctr({"namespaces", "ls", "-q"}, std::chrono::seconds(20)).output, '\n')) {
      const std::string space(trim(line));
      if (space.empty() || space == "k8s.io") continue;
      const auto tasks = ctr({"-n", space, "tasks", "ls", "-q"}, std::chrono::seconds(20)).output;
      if (!trim(tasks).empty()) result.push_back("namespace " + space);
    }
    return result;
  }

  // The coherence gate: what runs is what the cluster will ask for.
  std::string incoherent() const {
    const auto now = settings();
    if (now.sandbox_image != context_.pause_image())
      return "containerd's sandbox image is \"" + now.sandbox_image + "\", not " +
             context_.pause_image() + ": a file imported by " + kConfig + " overrides it";
    if (now.cri_disabled) return "containerd's CRI plugin is disabled by an imported file";
    return {};
  }

  void wait_until_ready() const {
    for (;;) {
      if (answers() && cri_answers()) return;
      const auto active =
          context_.host.run({.argv = {"systemctl", "is-failed", "containerd.service"}});
      if (trim(active.output) == "failed")
        throw Error(ExitCode::phase, "containerd.service failed to start");
      context_.host.pause(std::chrono::milliseconds(500), "containerd's CRI plugin");
    }
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<Runtime> make_containerd(Context& context) {
  return std::make_unique<Containerd>(context);
}

}  // namespace kbundle
