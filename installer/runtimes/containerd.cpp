// containerd: the host's own is configured and kept, the bundle's is set up where there is none.
#include "installer/runtimes/containerd.hpp"

#include <mutex>
#include <optional>
#include <tuple>

#include "core/error.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "installer/bin_dir.hpp"
#include "installer/context.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/runtimes/containerd_files.hpp"
#include "installer/runtimes/containerd_images.hpp"
#include "installer/runtimes/containerd_unpack.hpp"
#include "installer/runtimes/pod_runtime.hpp"
#include "installer/service_logs.hpp"
#include "manifests/templates.hpp"

namespace kbundle {
namespace {

constexpr const char* kConfig = kContainerdConfig;
constexpr const char* kRegistryHosts = "/etc/containerd/certs.d";
constexpr auto kStartTime = std::chrono::seconds(75);
constexpr const char* kUnit = "/etc/systemd/system/containerd.service";
constexpr const char* kSocket = "/run/containerd/containerd.sock";

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
    const Host& host = context_.host;
    std::vector<std::string> actions;
    const bool own = host_has_own();
    if (!own && !has_unit()) actions.push_back(std::string("write ") + kUnit);
    const auto edits = wanted_edits();
    for (const ContainerdEdit& edit : edits) {
      if (host.exists(edit.path) && !host.exists(containerd_backup(edit.path)))
        actions.push_back("write " + containerd_backup(edit.path));
      for (const std::string& change : edit.changes)
        actions.push_back("write " + edit.path + ": " + change);
    }
    const bool restart = needs_restart(!edits.empty());
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
    return PhaseCheck::todo((own ? "the host's containerd " + version() + " is configured"
                                 : "the bundle's containerd is set up") +
                                docker_beside(),
                            actions);
  }

  // Ends with an answer of the CRI plugin, or with the old configuration back in place.
  void ensure() override {
    if (auto trouble = unfit(); !trouble.empty()) throw Error(ExitCode::preflight, trouble);
    Host& host = context_.host;
    const bool own = host_has_own();
    const auto edits = wanted_edits();
    const bool restart = needs_restart(!edits.empty());
    const ContainerdChange change(host);
    bool restarted = false;
    try {
      if (!own && !has_unit())
        host.write(kUnit, relocated_unit(template_text("containerd.service"), context_.bin_dir));
      change.write(edits);
      if (auto trouble = incoherent(); !trouble.empty()) throw Error(ExitCode::phase, trouble);
      if (!own) host.run_checked({.argv = {"systemctl", "daemon-reload"}});
      host.touching(Touch::unit, "containerd.service");
      host.run_checked({.argv = {"systemctl", "enable", "containerd.service"}});
      restarted = restart;
      if (restart) host.run_checked(restart_command());
      wait_until_ready();
    } catch (const Error& error) {
      if (error.code() == ExitCode::interrupted) throw;
      const std::string logs =
          restarted ? journal_tail(host, "containerd.service", 12) : std::string();
      if (!change.open()) throw Error(error.code(), with_logs(error.message(), logs), error.hint());
      change.take_back();
      throw Error(ExitCode::phase,
                  with_logs("containerd does not serve Kubernetes with the configuration that was "
                            "merged, so the old one is back in place (" +
                                (restarted ? after_taking_back() : "containerd was not restarted") +
                                "): " + error.message(),
                            logs),
                  "see the plan for what is merged: --dry-run --only-phase runtime");
    }
    change.confirm();
  }

  std::string cri_socket() const override { return socket_of(settings()); }

  std::string sandbox_image() const override { return settings().sandbox_image; }
  std::string data_root() const override {
    const auto now = settings();
    return now.root.empty() ? "/var/lib/containerd" : now.root;
  }
  std::string unit() const override { return "containerd.service"; }

  std::string snapshotter_trouble() const override {
    std::string name = settings().snapshotter;
    if (name.empty()) name = "overlayfs";
    const auto plugins = ctr({"plugins", "ls"}, std::chrono::seconds(20));
    std::string state = plugin_state(plugins.output, "io.containerd.snapshotter.v1", name);
    // A proxy plugin is listed under its own name and says nothing of its state here.
    if (state.empty() || state == "ok") return {};
    return "containerd is set to " + printable(name) + ", whose plugin says " + state;
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
  bool tells_of_pins() const override {
    const auto have = Version::parse(version());
    return have && std::tuple(have->major, have->minor, have->patch) >= std::tuple(1, 7, 3);
  }
  std::vector<DamagedBlob> damaged_content(const std::vector<BlobRecord>& wanted,
                                           bool deep) const override {
    return store().damaged_content(wanted, deep);
  }
  void drop_content(const std::vector<Digest>& digests) override { store().drop_content(digests); }
  void sync() override { store().sync(); }
  std::string unfit_for_fast_load() const override {
    return kbundle::unfit_for_fast_load(access(), version());
  }
  std::vector<std::string> load_fast(const LoadJob& job) override {
    const auto where = access();
    return ContainerdUnpack(where, job).run();
  }
  void settle(const LoadJob& job) override {
    const auto where = access();
    ContainerdUnpack(where, job).settle();
  }
  void drop_images(const LoadJob& job) override {
    const auto where = access();
    ContainerdUnpack(where, job).drop();
  }

 private:
  const FileRecord* record(std::string_view component, const std::string& base) const {
    for (const FileRecord& file : context_.inventory.files)
      if (file.component == component && std::filesystem::path(file.path).filename() == base &&
          (file.platform.architecture.empty() || context_.platform.accepts(file.platform)))
        return &file;
    return nullptr;
  }

  std::string socket_of(const ContainerdSettings& now) const {
    if (!context_.options.cri_socket.empty()) {
      const std::string& given = context_.options.cri_socket;
      return given.starts_with("unix://") ? given.substr(7) : given;
    }
    return now.address.empty() ? kSocket : now.address;
  }

  // Asked for at every step, also by several threads: what containerd makes of its configuration is
  // asked for once.
  ContainerdAccess access() const {
    const std::lock_guard guard(access_mutex_);
    auto file = context_.host.read(kConfig);
    if (!access_ || file != access_config_) {
      const auto now = settings();
      access_.emplace(
          ContainerdAccess{.host = context_.host,
                           .ctr = program(),
                           .address = socket_of(now),
                           .snapshotter = now.snapshotter,
                           .root = now.root.empty() ? "/var/lib/containerd" : now.root});
      access_config_ = std::move(file);
    }
    return *access_;
  }
  ContainerdImages store() const { return ContainerdImages(access()); }

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
    if (const auto file = context_.host.read(kConfig); file && have->major < 2) {
      const int layout = read_containerd_config(*file, kConfig).version;
      if (layout > 2)
        return std::string(kConfig) + " is of version " + std::to_string(layout) +
               ", which containerd " + text +
               " does not read: `containerd config default` prints " + "one that it does";
    }
    return {};
  }

  bool has_unit() const {
    for (const char* folder : {"/etc/systemd/system", "/usr/local/lib/systemd/system",
                               "/usr/lib/systemd/system", "/lib/systemd/system"})
      if (context_.host.exists(std::string(folder) + "/containerd.service")) return true;
    return false;
  }

  // Whether the user's own documents ask for the cgroupfs driver.
  bool wants_cgroupfs() const {
    const Json kubelet = user_document(context_.user_documents, "KubeletConfiguration");
    const char* kind = context_.master() ? "InitConfiguration" : "JoinConfiguration";
    const Json registration =
        user_document(context_.user_documents, kind).value("nodeRegistration", Json::object());
    return kubelet.value("cgroupDriver", Json()) == Json("cgroupfs") ||
           kubelet_extra_arg(registration, "cgroup-driver") == "cgroupfs";
  }

  // The whole file, where there is none.
  std::string own_config() const {
    const std::string text = with_value(std::string(template_text("containerd-config.toml")),
                                        "@pause_image@", context_.pause_image());
    return with_value(text, "@systemd_cgroup@", wants_cgroupfs() ? "false" : "true");
  }

  std::vector<ContainerdEdit> wanted_edits() const {
    const auto have = Version::parse(version());
    const auto files = read_containerd_files(context_.host, have && !older(*have, "1.7"));
    if (files.empty())
      return {{kConfig,
               own_config(),
               {"the whole file, sandbox_image = \"" + context_.pause_image() + "\""}}};
    ContainerdWish wish{.sandbox_image = context_.pause_image()};
    wish.merges_keys = have && have->major >= 2;
    auto edits = merge_containerd_config(files, wish);
    if (!have || older(*have, "1.5")) return edits;
    wish.registry_config_path = kRegistryHosts;
    auto with_registry = merge_containerd_config(files, wish);
    // Alone, it is not worth a restart below the containers of others.
    const bool alone = edits.empty() && !with_registry.empty();
    return alone && !foreign_containers().empty() ? edits : with_registry;
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
    return read_containerd_config(own_config(), "containerd-config.toml");
  }

  bool needs_restart(bool changed) const {
    if (changed) return true;
    const Journal* journal = context_.journal;
    // Killed between writing and restarting: do it again.
    if (journal != nullptr && journal->begun("runtime") && !journal->ended("runtime")) return true;
    return ContainerdChange(context_.host).open() || !answers() || cri_state() != "ok";
  }

  static Command restart_command() {
    return {.argv = {"systemctl", "restart", "containerd.service"}, .timeout = kStartTime};
  }

  // Said once, before anything is done: Docker may be what the site means to use.
  std::string docker_beside() const {
    if (context_.facts.version >= Version{1, 24, 0, ""} || !context_.host.program("dockerd"))
      return {};
    const auto state = context_.host.run({.argv = {"systemctl", "is-active", "docker.service"},
                                          .timeout = std::chrono::seconds(20)});
    if (trim(state.output) != "active") return {};
    return " (Docker runs here, too: --runtime docker would use it)";
  }

  // "ok", "error", "skip"; empty: it does not know the plugin, or does not answer.
  std::string cri_state() const {
    const auto plugins = ctr({"plugins", "ls"}, std::chrono::seconds(20));
    return plugins.ok() ? plugin_state(plugins.output, "io.containerd.grpc.v1", "cri")
                        : std::string();
  }

  std::vector<std::string> foreign_containers() const {
    return make_containerd_pods(context_.host, cri_socket())->foreign_containers();
  }

  // What containerd makes of its files is what the cluster will ask for.
  std::string incoherent() const {
    const auto now = settings();
    if (now.sandbox_image != context_.pause_image())
      return "containerd's sandbox image is \"" + now.sandbox_image + "\", not " +
             context_.pause_image() + ": see `containerd config dump`";
    if (now.cri_disabled)
      return "containerd's CRI plugin stays disabled: see `containerd config dump`";
    return {};
  }

  // Plugins are set up before containerd answers at all: what is not "ok" then never will be.
  void wait_until_ready() const {
    const auto end = std::chrono::steady_clock::now() + kStartTime;
    while (!answers()) {
      const auto state =
          context_.host.run({.argv = {"systemctl", "is-failed", "containerd.service"}});
      if (trim(state.output) == "failed" || std::chrono::steady_clock::now() > end)
        throw Error(ExitCode::phase, "containerd does not answer at " + cri_socket());
      context_.host.pause(std::chrono::milliseconds(300), "containerd at " + cri_socket());
    }
    const std::string state = cri_state();
    if (state == "ok") return;
    const auto why = ctr({"plugins", "ls", "-d", "id==cri"}, std::chrono::seconds(20));
    std::string message;
    for (const std::string& line : split(why.output, '\n'))
      if (const auto at = line.find("Message:"); at != std::string::npos)
        message = ": " + printable(std::string(trim(line.substr(at + 8))));
    throw Error(ExitCode::phase, "containerd's CRI plugin does not work (" +
                                     (state.empty() ? "absent" : state) + ")" + message);
  }

  // Whether containerd runs with the old configuration, for people.
  std::string after_taking_back() const {
    context_.host.run(restart_command());
    if (answers()) return "containerd was restarted with it";
    return "containerd does not start with it either";
  }

  static std::string with_logs(const std::string& message, const std::string& logs) {
    return logs.empty() ? message : message + "\n" + logs;
  }

  Context& context_;
  mutable std::mutex access_mutex_;
  mutable std::optional<ContainerdAccess> access_;
  mutable std::optional<std::string> access_config_;  // the file that it was told from
};

}  // namespace

std::unique_ptr<Runtime> make_containerd(Context& context) {
  return std::make_unique<Containerd>(context);
}

}  // namespace kbundle
