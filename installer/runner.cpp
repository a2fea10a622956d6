#include "installer/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

using Clock = std::chrono::steady_clock;

const char* word_of(PhaseState state) {
  switch (state) {
    case PhaseState::done:
      return "done";
    case PhaseState::todo:
      return "to do";
    case PhaseState::conflict:
      return "conflict";
  }
  return "";
}

// "certs" selects certs/all, too.
bool names_phase(const std::string& word, const std::string& id) {
  return word == id || id.starts_with(word + "/");
}

class DeadlineGuard {
 public:
  DeadlineGuard(Host& host, std::chrono::seconds timeout) : host_(host) {
    host_.set_deadline(Clock::now() + timeout);
  }
  ~DeadlineGuard() { host_.set_deadline(std::nullopt); }
  DeadlineGuard(const DeadlineGuard&) = delete;
  DeadlineGuard& operator=(const DeadlineGuard&) = delete;

 private:
  Host& host_;
};

}  // namespace

Runner::Runner(std::vector<std::unique_ptr<Phase>>& plan, Host& host, Progress& progress,
               RunnerOptions options)
    : plan_(plan), host_(host), progress_(progress), options_(std::move(options)) {
  auto words = options_.skip_phases;
  if (!options_.only_phase.empty()) words.push_back(options_.only_phase);
  for (const std::string& word : words) {
    if (std::any_of(plan_.begin(), plan_.end(),
                    [&](const auto& phase) { return names_phase(word, phase->id()); }))
      continue;
    std::vector<std::string> ids;
    for (const auto& phase : plan_) ids.push_back(phase->id());
    throw Error(ExitCode::usage, "the plan has no phase " + printable(word),
                "its phases are: " + join(ids, ", "));
  }
}

bool Runner::selected(const Phase& phase) const {
  if (!options_.only_phase.empty()) return names_phase(options_.only_phase, phase.id());
  return std::none_of(options_.skip_phases.begin(), options_.skip_phases.end(),
                      [&](const std::string& word) { return names_phase(word, phase.id()); });
}

bool Runner::print_plan(std::ostream& out) const {
  bool conflict = false;
  std::size_t number = 0;
  for (const auto& phase : plan_) {
    ++number;
    const std::string head = fmt::format("{:>2}/{} {}", number, plan_.size(), phase->id());
    if (!selected(*phase)) {
      out << fmt::format("{:<28} skipped\n", head);
      continue;
    }
    const PhaseCheck check = phase->check();
    conflict |= check.state == PhaseState::conflict;
    out << fmt::format("{:<28} {:<8} {}\n", head, word_of(check.state), check.reason);
    for (const std::string& action : check.actions) out << "      " << action << "\n";
  }
  return conflict;
}

void Runner::apply(Phase& phase, Journal& journal, const std::string& title) {
  journal.begin(phase.id());
  const auto start = Clock::now();
  auto task = progress_.start(title);
  try {
    const DeadlineGuard guard(host_, phase.timeout());
    phase.apply();
  } catch (Error& error) {
    task.reset();
    journal.fail(phase.id(), static_cast<int>(error.code()));
    if (error.code() == ExitCode::interrupted) throw;
    const std::string details = phase.failure_details();
    // Many hints end in "run the same command again" themselves.
    const bool said = error.hint().find("run the same command again") != std::string::npos;
    const std::string next = "run the same command again: it continues at phase " + phase.id();
    std::string message = "phase " + phase.id() + " failed: " + error.message();
    if (!details.empty()) message += "\n" + details;
    Error shown(error.code() == ExitCode::usage ? ExitCode::phase : error.code(), message,
                error.hint().empty() ? next
                : said               ? error.hint()
                                     : error.hint() + "; then " + next);
    for (const std::string& step : error.context()) shown.add_context(step);
    throw shown;
  }
  journal.end(phase.id(),
              std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count());
  task->done();
}

std::size_t Runner::run(Journal& journal) {
  std::size_t number = 0, applied = 0;
  for (const auto& phase : plan_) {
    ++number;
    throw_if_interrupted();
    if (!selected(*phase)) continue;
    const std::string title =
        fmt::format("[{}/{}] {}: {}", number, plan_.size(), phase->id(), phase->title());
    const PhaseCheck check = phase->check();
    if (check.state == PhaseState::conflict) {
      std::string message = "phase " + phase->id() + ": " + check.reason;
      for (const std::string& object : check.actions) message += "\n  " + object;
      throw Error(ExitCode::preflight, message,
                  "clear what is in the way, then run the same command again");
    }
    if (check.state == PhaseState::done && options_.only_phase.empty()) {
      progress_.start(title)->done("already: " + check.reason);
      // A phase that an earlier run was killed in, right at its end.
      if (journal.begun(phase->id()) && !journal.ended(phase->id())) journal.end(phase->id(), 0);
      continue;
    }
    apply(*phase, journal, title);
    ++applied;
  }
  if (options_.only_phase.empty() && options_.skip_phases.empty() && !journal.complete())
    journal.finish();
  return applied;
}

}  // namespace kbundle
