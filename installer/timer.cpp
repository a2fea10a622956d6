#include "installer/timer.hpp"

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr const char* kUnits = "/etc/systemd/system/";
constexpr const char* kUsual = "/usr/local/bin/kbundle";
constexpr const char* kInState = "/var/lib/kbundle/bin/kbundle";

void place_executable(Host& host, const std::string& target) {
  host.touching(Touch::file, target);
  const auto path = host.at(target);
  make_folders(path.parent_path());
  FdSource source = FdSource::open("/proc/self/exe");
  AtomicFile file(path, 0755);
  copy(source, file);
  file.commit();
}

void check_span(const std::string& every) {
  const auto number = every.find_first_not_of("0123456789");
  const std::string unit = number == std::string::npos ? "" : every.substr(number);
  const bool known = unit == "min" || unit == "h" || unit == "d";
  if (number == 0 || !known || every.find_first_not_of('0') == number)
    throw Error(ExitCode::usage,
                "--every wants a time like 30min, 1h or 7d, not \"" + printable(every) + "\"");
}

}  // namespace

std::string keep_executable(Host& host) {
  const auto own = Host().digest("/proc/self/exe");
  for (const char* place : {kUsual, kInState})
    if (host.exists(place) && host.digest(place) == own && host.mode(place) == 0755) return place;
  if (!host.exists(kUsual)) {
    try {
      place_executable(host, kUsual);
      return kUsual;
    } catch (const Error& error) {
      if (error.code() != ExitCode::disk) throw;  // /usr is read-only
    }
  }
  place_executable(host, kInState);
  return kInState;
}

void install_timer(Host& host, const VerbTimer& timer) {
  check_span(timer.every);
  std::vector<std::string> command = {keep_executable(host)};
  command.insert(command.end(), timer.arguments.begin(), timer.arguments.end());
  command.insert(command.end(), {"--progress", "plain"});
  host.write(kUnits + timer.name + ".service", "[Unit]\nDescription=" + timer.description +
                                                   "\n\n[Service]\nType=oneshot\nNice=10\n"
                                                   "IOSchedulingClass=idle\nExecStart=" +
                                                   to_shell(command) + "\n");
  host.write(kUnits + timer.name + ".timer",
             "[Unit]\nDescription=" + timer.description + "\n\n[Timer]\nOnActiveSec=" +
                 timer.every + "\nOnBootSec=5min\nOnUnitInactiveSec=" + timer.every +
                 "\nRandomizedDelaySec=1min\n\n[Install]\nWantedBy=timers.target\n");
  host.run_checked({.argv = {"systemctl", "daemon-reload"}});
  host.touching(Touch::unit, timer.name + ".timer");
  host.run_checked({.argv = {"systemctl", "enable", timer.name + ".timer"}});
  host.run_checked({.argv = {"systemctl", "restart", timer.name + ".timer"}});
}

void remove_timer(Host& host, const std::string& name) {
  const std::string timer = name + ".timer";
  if (host.exists(kUnits + timer)) {
    host.touching(Touch::unit, timer);
    host.run({.argv = {"systemctl", "disable", "--now", timer}});
  }
  host.remove(kUnits + timer);
  host.remove(kUnits + name + ".service");
  host.run_checked({.argv = {"systemctl", "daemon-reload"}});
}

}  // namespace kbundle
