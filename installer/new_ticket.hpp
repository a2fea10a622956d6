// `kbundle ticket`: a new join ticket, on any master of the cluster.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>

#include "core/progress.hpp"

namespace kbundle {

struct NewTicketOptions {
  bool masters = false;  ///< the certificates are uploaded again, under a new key
  std::string output = "/var/lib/kbundle/join-ticket.json";  ///< "-": standard output
  std::string ttl = "24h";                                   ///< of the bootstrap token
};

/// Says on `out` where the ticket is and how long it is good for; its secrets only for "-".
/// Error{preflight} where no ticket can be made (not a master), Error{phase} when the cluster
/// refuses.
void new_ticket(const NewTicketOptions& options, Progress& progress, std::ostream& out);

}  // namespace kbundle
