// The clock: certificates begin when they are made, and tokens end.
#include <chrono>
#include <cstdlib>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"

namespace kbundle {
namespace {

using Clock = std::chrono::system_clock;

// After a reboot the system's clock is the hardware's, which may hold local time.
void check_hardware_clock(const Context& context, Clock::time_point now, Findings& findings) {
  const auto text = context.host.read("/sys/class/rtc/rtc0/since_epoch");
  if (!text || trim(*text).empty()) return;
  const Clock::time_point hardware{std::chrono::seconds(std::strtoll(text->c_str(), nullptr, 10))};
  const auto apart = hardware > now ? hardware - now : now - hardware;
  if (apart < std::chrono::hours(15)) return;
  findings.warning("HardwareClock",
                   "the hardware clock says " + rfc3339(hardware) + ", the system " + rfc3339(now) +
                       "; after a reboot certificates may not be valid",
                   "hwclock --systohc");
}

void check_synchronisation(const Context& context, Findings& findings) {
  if (!context.host.live() || !context.host.exists("/run/systemd/system")) return;
  const auto state =
      context.host.run({.argv = {"systemctl", "is-active", "--quiet", "chronyd", "chrony", "ntpd",
                                 "ntp", "ntpsec", "systemd-timesyncd", "openntpd"},
                        .timeout = std::chrono::seconds(15)});
  if (state.ok()) return;
  findings.warning("TimeSync", "no program keeps the clock right (chrony, ntpd, timesyncd)",
                   "let the nodes follow one clock of the site; certificates and tokens need it");
}

}  // namespace

void check_clock(const Context& context, Findings& findings) {
  const auto now = std::chrono::system_clock::now();
  const std::string shown = rfc3339(now);
  const std::string fix =
      "set the clock (`date -u -s …` or chrony), then run the same command again";
  const auto year = split(shown, '-').at(0);
  if (year < "2020" || year > "2037")
    findings.error("Clock", "the clock says " + shown + ", which is not plausible", fix);
  const auto created = parse_rfc3339(context.inventory.created, "the bundle's inventory");
  if (now < created)
    findings.error("Clock",
                   "the clock says " + shown + ", before the bundle was made (" +
                       context.inventory.created + "): certificates would not be valid yet",
                   fix);
  check_hardware_clock(context, now, findings);
  check_synchronisation(context, findings);
  if (!context.ticket || context.ticket->created.empty()) return;
  const auto master = parse_rfc3339(context.ticket->created, "the join ticket");
  const auto expires = parse_rfc3339(context.ticket->expires, "the join ticket");
  constexpr auto tolerance = std::chrono::minutes(1);  // two clocks are never quite the same
  if (now + tolerance < master)
    findings.error("Clock",
                   "the clock says " + shown + ", before the master wrote the join ticket (" +
                       context.ticket->created + ")",
                   fix);
  if (context.join_is_over()) return;
  const std::string renew = std::string("on a master: kbundle ticket ") +
                            (context.master() ? "--masters " : "") +
                            "-o join-ticket.json; copy the new ticket";
  if (now - tolerance >= expires)
    findings.error("JoinTicket", "the join ticket's token ended at " + context.ticket->expires,
                   renew);
  const std::string& key_end = context.ticket->certificate_key_expires;
  if (context.master() && !key_end.empty() &&
      !context.journal_ended("control-plane-prepare/download-certs") &&
      now - tolerance >= parse_rfc3339(key_end, "the join ticket"))
    findings.error("JoinTicket", "the join ticket's certificate key ended at " + key_end, renew);
}

}  // namespace kbundle
