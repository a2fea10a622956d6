// CoreDNS without a nameserver to forward to: its Corefile loses the forward plugin, or CoreDNS
// would stop at an empty resolver file.
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "installer/phases/phases.hpp"
#include "installer/service_logs.hpp"

namespace kbundle {
namespace {

class CorednsPhase final : public Phase {
 public:
  explicit CorednsPhase(Context& context)
      : Phase("coredns", "CoreDNS without a forwarder", std::chrono::minutes(2)),
        context_(context) {}

  PhaseCheck check() override {
    const auto map = config_map();
    if (!map)
      return PhaseCheck::todo(context_.resolver.reason,
                              {"take the forward plugin out of ConfigMap kube-system/coredns"});
    const std::string before = corefile(*map);
    if (without_forward(before) == before) return PhaseCheck::done("CoreDNS forwards to nobody");
    return PhaseCheck::todo(context_.resolver.reason,
                            {"take the forward plugin out of ConfigMap kube-system/coredns",
                             "run kubectl -n kube-system rollout restart deployment coredns"});
  }

  void apply() override {
    auto map = config_map();
    if (!map) throw Error(ExitCode::phase, "ConfigMap kube-system/coredns is not there");
    (*map)["data"]["Corefile"] = without_forward(corefile(*map));
    Command replace = context_.kubectl({"replace", "-f", "-"});
    replace.input = map->dump();
    context_.host.run_checked(std::move(replace));
    context_.host.run_checked(
        context_.kubectl({"-n", "kube-system", "rollout", "restart", "deployment", "coredns"}));
  }

 private:
  static std::string corefile(const Json& map) {
    if (!map.contains("data") || !map["data"].is_object()) return {};
    return map["data"].value("Corefile", "");
  }

  std::optional<Json> config_map() const {
    if (!context_.host.live() || !context_.host.exists(node_path::admin_config) ||
        !context_.has_program("kubectl"))
      return std::nullopt;
    const auto result = context_.host.run(
        context_.kubectl({"-n", "kube-system", "get", "configmap", "coredns", "-o", "json"}));
    if (!result.ok()) return std::nullopt;
    return parse_json(result.output, "ConfigMap coredns");
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<Phase> make_coredns_phase(Context& context) {
  return std::make_unique<CorednsPhase>(context);
}

}  // namespace kbundle
