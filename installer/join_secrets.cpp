#include "installer/join_secrets.hpp"

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

std::optional<std::chrono::system_clock::time_point> end_of(const Kubectl& kubectl,
                                                            const std::string& secret) {
  const auto answer =
      kubectl({"-n", "kube-system", "get", "secret", secret, "-o", "jsonpath={.data.expiration}"});
  if (!answer.ok() || trim(answer.output).empty()) return std::nullopt;
  try {
    return parse_rfc3339(base64_decode(trim(answer.output), "expiration"), "expiration");
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> token_end(const Kubectl& kubectl,
                                                               const std::string& token) {
  return end_of(kubectl, "bootstrap-token-" + split(token, '.').at(0));
}

std::optional<std::chrono::system_clock::time_point> certificate_key_end(const Kubectl& kubectl) {
  // The certificates go when their owner goes, a token of two hours.
  const auto owner = kubectl({"-n", "kube-system", "get", "secret", "kubeadm-certs", "-o",
                              "jsonpath={.metadata.ownerReferences[0].name}"});
  const std::string name(trim(owner.output));
  if (!owner.ok() || name.empty()) return std::nullopt;
  return end_of(kubectl, name);
}

std::string bootstrap_token_secret(const std::string& token,
                                   std::chrono::system_clock::time_point end) {
  const auto parts = split(token, '.');
  const Json secret = {
      {"apiVersion", "v1"},
      {"kind", "Secret"},
      {"type", "bootstrap.kubernetes.io/token"},
      {"metadata", {{"name", "bootstrap-token-" + parts.at(0)}, {"namespace", "kube-system"}}},
      {"stringData",
       {{"token-id", parts.at(0)},
        {"token-secret", parts.at(1)},
        {"expiration", rfc3339(end)},
        {"description", "made by kbundle ticket"},
        {"usage-bootstrap-authentication", "true"},
        {"usage-bootstrap-signing", "true"},
        {"auth-extra-groups", "system:bootstrappers:kubeadm:default-node-token"}}}};
  return secret.dump();
}

std::chrono::seconds parse_duration(const std::string& text, const std::string& what) {
  long total = 0, number = 0;
  bool digits = false, good = !text.empty() && text.size() <= 12;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      number = number * 10 + (c - '0');
      digits = true;
    } else {
      const long unit = c == 'h' ? 3600 : c == 'm' ? 60 : c == 's' ? 1 : 0;
      good &= digits && unit != 0;
      total += number * unit;
      number = 0;
      digits = false;
    }
  }
  if (!good || digits || total < 60)
    throw Error(ExitCode::usage,
                what + " must be a time of a minute or more, like 90m or 24h, not \"" +
                    printable(text) + "\"");
  return std::chrono::seconds(total);
}

}  // namespace kbundle
