// What nodes join with, as the cluster keeps it: bootstrap tokens, and the secret that the masters'
// certificates are uploaded to.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/process.hpp"

namespace kbundle {

/// Runs kubectl with an administrator's credentials and these arguments.
using Kubectl = std::function<CommandResult(const std::vector<std::string>& arguments)>;

/// kubeadm's own, when nobody says otherwise.
inline constexpr auto kTokenLife = std::chrono::hours(24);
inline constexpr auto kCertificateKeyLife = std::chrono::hours(2);

/// When a token ends; nullopt when the cluster does not say.
std::optional<std::chrono::system_clock::time_point> token_end(const Kubectl& kubectl,
                                                               const std::string& token);
/// When the uploaded certificates are deleted; nullopt when there are none.
std::optional<std::chrono::system_clock::time_point> certificate_key_end(const Kubectl& kubectl);

/// The Secret that is a bootstrap token for nodes (JSON, for `kubectl create -f -`).
std::string bootstrap_token_secret(const std::string& token,
                                   std::chrono::system_clock::time_point end);

/// "90m", "24h", "1h30m". Error{usage} naming `what` for other words, and for less than a minute.
std::chrono::seconds parse_duration(const std::string& text, const std::string& what);

}  // namespace kbundle
