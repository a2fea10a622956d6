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

}  // namespace

std::string every(const std::string& span) {
  const auto number = span.find_first_not_of("0123456789");
  const std::string unit = number == std::string::npos ? "" : span.substr(number);
  const bool known = unit == "min" || unit == "h" || unit == "d";
  if (number == 0 || !known || span.find_first_not_of('0') == number)
    throw Error(ExitCode::usage,
                "--every wants a time like 30min, 1h or 7d, not \"" + printable(span) + "\"");
  return "OnActiveSec=" + span + "\nOnBootSec=5min\nOnUnitInactiveSec=" + span +
         "\nRandomizedDelaySec=1min\n";
}

std::string daily(const std::string& delay) {
  return "OnCalendar=daily\nRandomizedDelaySec=" + delay + "\nPersistent=true\n";
}

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

std::string install_timer(Host& host, const VerbTimer& timer) {
  std::vector<std::string> words = {keep_executable(host)};
  words.insert(words.end(), timer.arguments.begin(), timer.arguments.end());
  words.insert(words.end(), {"--progress", "plain"});
  const std::string command = to_shell(words);
  host.write(kUnits + timer.name + ".service",
             "[Unit]\nDescription=" + timer.description +
                 "\nAfter=kubelet.service\n\n[Service]\nType=oneshot\nNice=10\n"
                 "IOSchedulingClass=idle\nExecStart=" +
                 command + "\n");
  host.write(kUnits + timer.name + ".timer", "[Unit]\nDescription=" + timer.description +
                                                 "\n\n[Timer]\n" + timer.schedule +
                                                 "\n[Install]\nWantedBy=timers.target\n");
  host.run_checked({.argv = {"systemctl", "daemon-reload"}});
  host.touching(Touch::unit, timer.name + ".timer");
  host.run_checked({.argv = {"systemctl", "enable", timer.name + ".timer"}});
  host.run_checked({.argv = {"systemctl", "restart", timer.name + ".timer"}});
  return command;
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
