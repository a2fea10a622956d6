// Runs a plan: checks each phase, journals and applies what is to do, and says what happens.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/progress.hpp"
#include "installer/host.hpp"
#include "installer/journal.hpp"
#include "installer/phase.hpp"

namespace kbundle {

struct RunnerOptions {
  std::string only_phase;  ///< applied even when its check says done
  std::vector<std::string> skip_phases;
};

class Runner {
 public:
  Runner(std::vector<std::unique_ptr<Phase>>& plan, Host& host, Progress& progress,
         RunnerOptions options);

  /// Prints the plan with each phase's state, files and commands. Changes nothing. Whether a
  /// phase is in conflict.
  bool print_plan(std::ostream& out) const;

  /// Runs to the end. Error{phase} with the log's tail and the next step. Returns how many phases
  /// there were to do.
  std::size_t run(Journal& journal);

 private:
  bool selected(const Phase& phase) const;
  void apply(Phase& phase, Journal& journal, const std::string& title);

  std::vector<std::unique_ptr<Phase>>& plan_;
  Host& host_;
  Progress& progress_;
  RunnerOptions options_;
};

}  // namespace kbundle
