// SIGINT and SIGTERM ask for a stop; loops look here and leave in an orderly way.
#pragma once

namespace kbundle {

/// Installs the handlers; SIGPIPE is ignored. Called once, by main.
void handle_stop_signals();
/// Whether a stop was asked for.
bool stop_requested() noexcept;
/// Throws Error{interrupted} when a stop was asked for.
void throw_if_interrupted();

}  // namespace kbundle
