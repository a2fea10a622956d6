#include "installer/timers.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"

namespace kbundle {
namespace {

constexpr const char* kUnits = "/etc/systemd/system";

void place_program(const Host& host) {
  const auto own = std::filesystem::read_symlink("/proc/self/exe");
  if (own == host.at(kTimerProgram)) return;
  FdSource source = FdSource::open(own);
  make_folders(host.at(kTimerProgram).parent_path());
  AtomicFile out(host.at(kTimerProgram), 0755);
  copy(source, out);
  out.commit();
}

}  // namespace

std::string timer_unit(const Timer& timer) {
  return "[Unit]\nDescription=" + timer.description + "\n\n[Timer]\nOnCalendar=" + timer.calendar +
         "\nRandomizedDelaySec=" + timer.delay +
         "\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n";
}

std::string timer_service(const Timer& timer) {
  return "[Unit]\nDescription=" + timer.description +
         "\nAfter=kubelet.service\n\n[Service]\nType=oneshot\nExecStart=" + kTimerProgram + " " +
         timer.arguments + "\n";
}

void install_timer(const Host& host, const Timer& timer) {
  place_program(host);
  const std::string base = std::string(kUnits) + "/" + timer.name;
  host.write(base + ".service", timer_service(timer));
  host.write(base + ".timer", timer_unit(timer));
  host.run_checked({.argv = {"systemctl", "daemon-reload"}});
  host.run_checked({.argv = {"systemctl", "enable", "--now", timer.name + ".timer"}});
}

void remove_timer(const Host& host, const Timer& timer) {
  const std::string base = std::string(kUnits) + "/" + timer.name;
  if (host.exists(base + ".timer"))
    host.run({.argv = {"systemctl", "disable", "--now", timer.name + ".timer"}});
  host.remove(base + ".timer");
  host.remove(base + ".service");
  host.run_checked({.argv = {"systemctl", "daemon-reload"}});
  const auto units = host.list(kUnits);
  const bool others = std::any_of(units.begin(), units.end(), [](const std::string& name) {
    return name.starts_with("kbundle-") && name.ends_with(".timer");
  });
  if (!others) host.remove(kTimerProgram);
}

}  // namespace kbundle
