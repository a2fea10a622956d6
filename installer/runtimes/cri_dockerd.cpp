#include "installer/runtimes/cri_dockerd.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/bin_dir.hpp"
#include "installer/service_logs.hpp"
#include "manifests/templates.hpp"

namespace kbundle {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kPauseFlag = "--pod-infra-container-image=";

std::string asked(const Host& host, const char* question, const std::string& unit) {
  const auto answer = host.run({.argv = {"systemctl", question, unit}, .timeout = seconds(20)});
  return std::string(trim(answer.output));
}

void fill(std::string& text, std::string_view hole, const std::string& value) {
  text.replace(text.find(hole), hole.size(), value);
}

}  // namespace

CriDockerd::CriDockerd(Context& context, std::string socket)
    : context_(context), socket_(std::move(socket)) {}

PhaseCheck CriDockerd::check() const {
  const Host& host = context_.host;
  // A package's own; both would listen at the same place.
  for (const char* other : {"cri-docker.socket", "cri-docker.service"})
    if (asked(host, "is-active", other) == "active")
      return PhaseCheck::conflict(
          "the host has a cri-dockerd of its own, which runs: systemctl "
          "disable --now cri-docker.socket cri-docker.service");
  if (host.read(kUnitFile) != unit_text())
    return PhaseCheck::todo(
        "cri-dockerd is set up for this cluster",
        {std::string("write ") + kUnitFile, std::string("run systemctl enable ") + kUnit,
         std::string("run systemctl restart ") + kUnit});
  if (asked(host, "is-enabled", kUnit) != "enabled")
    return PhaseCheck::todo("cri-dockerd shall start with the host",
                            {std::string("run systemctl enable ") + kUnit});
  if (!runs())
    return PhaseCheck::todo("cri-dockerd is started",
                            {std::string("run systemctl restart ") + kUnit});
  return PhaseCheck::done("cri-dockerd runs");
}

void CriDockerd::ensure() {
  Host& host = context_.host;
  try {
    const bool differs = host.read(kUnitFile) != unit_text();
    if (differs) {
      host.write(kUnitFile, unit_text());
      host.run_checked({.argv = {"systemctl", "daemon-reload"}});
    }
    host.touching(Touch::unit, kUnit);  // after its file: reset goes the other way round
    host.run_checked({.argv = {"systemctl", "enable", kUnit}});
    if (differs || !runs())
      host.run_checked({.argv = {"systemctl", "restart", kUnit}, .timeout = minutes(2)});
    while (!runs()) host.pause(seconds(1), "cri-dockerd");
  } catch (const Error& error) {
    if (error.code() == ExitCode::interrupted) throw;
    const std::string logs = journal_tail(host, kUnit, 12);
    throw Error(error.code(), error.message() + (logs.empty() ? "" : "\n" + logs), error.hint());
  }
}

std::string CriDockerd::sandbox_image() const {
  const std::string text = context_.host.read(kUnitFile).value_or("");
  const auto flag = text.find(kPauseFlag);
  if (flag == std::string::npos) return {};
  const auto begin = flag + kPauseFlag.size();
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

std::string CriDockerd::unit_text() const {
  std::string text(template_text(kUnit));
  fill(text, "{socket}", socket_);
  fill(text, "{pause}", context_.pause_image());
  return relocated_unit(text, context_.bin_dir);
}

bool CriDockerd::runs() const {
  return asked(context_.host, "is-active", kUnit) == "active" && context_.host.exists(socket_);
}

bool has_dockershim(const Version& kubernetes) {
  return kubernetes < Version{1, 24, 0, ""};
}

}  // namespace kbundle
