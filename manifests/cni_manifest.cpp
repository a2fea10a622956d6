#include "manifests/cni_manifest.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <sstream>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kMaxSize = 4U << 20U;
constexpr std::size_t kMaxDocuments = 1000;
constexpr std::size_t kMaxNodes = 200'000;
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxImages = 1000;

[[noreturn]] void refuse(std::string_view what, const std::string& why) {
  throw Error(ExitCode::verification, fmt::format("{}: {}", what, why),
              "it must be Kubernetes YAML, as the add-on's project publishes it");
}

// Counts while the parser runs, before anything is kept: the tree of a hostile document can be a
// hundred times its size, and an alias can name a tree many times over.
class Guard final : public YAML::EventHandler {
 public:
  explicit Guard(std::string_view what) : what_(what) {}
  void OnDocumentStart(const YAML::Mark&) override {
    if (++documents_ > kMaxDocuments) refuse(what_, "more than 1000 documents");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override { node(); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(what_, fmt::format("line {}: YAML aliases are not taken", mark.line + 1));
  }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {
    node();
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open();
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open();
  }
  void OnMapEnd() override { --depth_; }

 private:
  void node() {
    if (++nodes_ > kMaxNodes) refuse(what_, "more than 200,000 values");
  }
  void open() {
    node();
    if (++depth_ > kMaxDepth) refuse(what_, "nested deeper than 64");
  }
  std::string what_;
  std::size_t documents_ = 0;
  std::size_t nodes_ = 0;
  std::size_t depth_ = 0;
};

std::vector<YAML::Node> documents(std::string_view yaml, std::string_view what) {
  if (yaml.size() > kMaxSize)
    refuse(what, fmt::format("{} bytes; the limit is 4 MiB", yaml.size()));
  try {
    std::istringstream text{std::string(yaml)};
    YAML::Parser parser(text);
    Guard guard(what);
    while (parser.HandleNextDocument(guard)) {
    }
    return YAML::LoadAll(std::string(yaml));
  } catch (const YAML::Exception& error) {
    refuse(what, fmt::format("line {}: not YAML: {}", error.mark.line + 1,
                             printable(error.msg.substr(0, 200))));
  }
}

// A member, or an undefined node when `node` is no map.
YAML::Node at(const YAML::Node& node, const char* key) {
  return node.IsDefined() && node.IsMap() ? node[key] : YAML::Node(YAML::NodeType::Undefined);
}

std::string text_of(const YAML::Node& node) {
  return node.IsDefined() && node.IsScalar() ? node.Scalar() : std::string();
}

// Kubernetes objects, those inside a List too.
void for_each_object(const std::vector<YAML::Node>& nodes, std::string_view what,
                     const std::function<void(const YAML::Node&)>& take, int depth = 0) {
  for (const YAML::Node& node : nodes) {
    if (node.IsNull()) continue;  // an empty document
    const std::string kind = text_of(at(node, "kind"));
    if (kind.empty() || text_of(at(node, "apiVersion")).empty()) {
      refuse(what,
             fmt::format("line {}: an object without kind or apiVersion", node.Mark().line + 1));
    }
    if (kind != "List") {
      take(node);
      continue;
    }
    if (depth > 2) refuse(what, "lists inside lists");
    std::vector<YAML::Node> items;
    for (const auto& item : at(node, "items")) items.push_back(item);
    for_each_object(items, what, take, depth + 1);
  }
}

// The pod specification of whatever runs pods.
YAML::Node pod_spec(const YAML::Node& object) {
  const std::string kind = text_of(at(object, "kind"));
  if (kind == "Pod") return at(object, "spec");
  if (kind == "PodTemplate") return at(at(object, "template"), "spec");
  if (kind == "CronJob") {
    return at(at(at(at(at(object, "spec"), "jobTemplate"), "spec"), "template"), "spec");
  }
  return at(at(at(object, "spec"), "template"), "spec");
}

// What a label of the node is, for the labels that every kubelet sets; "" for others.
std::string node_label(const std::string& label, const std::string& architecture) {
  if (label == "kubernetes.io/arch" || label == "beta.kubernetes.io/arch") return architecture;
  if (label == "kubernetes.io/os" || label == "beta.kubernetes.io/os") return "linux";
  return {};
}

bool expression_allows(const YAML::Node& expression, const std::string& architecture) {
  const std::string label = node_label(text_of(at(expression, "key")), architecture);
  if (label.empty()) return true;
  bool named = false;
  for (const auto& value : at(expression, "values")) named = named || text_of(value) == label;
  const std::string test = text_of(at(expression, "operator"));
  if (test == "In") return named;
  if (test == "NotIn") return !named;
  return test != "DoesNotExist";
}

// Whether the scheduler could put this pod on a Linux node of `architecture`.
bool runs_on(const YAML::Node& spec, const std::string& architecture) {
  const YAML::Node selector = at(spec, "nodeSelector");
  if (selector.IsDefined() && selector.IsMap()) {
    for (const auto& entry : selector) {
      const std::string label = node_label(text_of(entry.first), architecture);
      if (!label.empty() && label != text_of(entry.second)) return false;
    }
  }
  const YAML::Node terms = at(at(at(at(spec, "affinity"), "nodeAffinity"),
                                 "requiredDuringSchedulingIgnoredDuringExecution"),
                              "nodeSelectorTerms");
  if (!terms.IsDefined() || !terms.IsSequence() || terms.size() == 0) return true;
  for (const auto& term : terms) {  // one term must hold, all of its expressions
    bool allowed = true;
    for (const auto& expression : at(term, "matchExpressions")) {
      allowed = allowed && expression_allows(expression, architecture);
    }
    if (allowed) return true;
  }
  return false;
}

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-' ||
         c == '/' || c == ':' || c == '@';
}

// Whether what stands before `at` is the key `image:`, quotes and blanks aside.
bool follows_image_key(std::string_view text, std::size_t at) {
  const auto back_over = [&](std::string_view characters) {
    while (at > 0 && characters.find(text[at - 1]) != std::string_view::npos) --at;
  };
  back_over("\"' ");
  if (at == 0 || text[at - 1] != ':') return false;
  --at;
  back_over("\"' ");
  return text.substr(0, at).ends_with("image") && (at == 5 || !is_name_character(text[at - 6]));
}

}  // namespace

std::vector<std::string> images_in_manifest(std::string_view yaml, const std::string& architecture,
                                            std::string_view what) {
  std::vector<std::string> images;
  for_each_object(documents(yaml, what), what, [&](const YAML::Node& object) {
    const YAML::Node spec = pod_spec(object);
    if (!spec.IsDefined() || !runs_on(spec, architecture)) return;
    for (const char* list : {"initContainers", "containers"}) {
      for (const auto& container : at(spec, list)) {
        const std::string image = text_of(at(container, "image"));
        if (image.empty()) {
          refuse(what,
                 fmt::format("line {}: a container without an image", container.Mark().line + 1));
        }
        if (std::find(images.begin(), images.end(), image) == images.end()) {
          images.push_back(image);
        }
        if (images.size() > kMaxImages) refuse(what, "more than 1000 images");
      }
    }
  });
  return images;
}

std::string retag_manifest(std::string_view yaml,
                           const std::vector<std::pair<std::string, std::string>>& names) {
  std::string out;
  out.reserve(yaml.size());
  std::size_t position = 0;
  while (position < yaml.size()) {
    const std::pair<std::string, std::string>* found = nullptr;
    if (position == 0 || !is_name_character(yaml[position - 1])) {
      for (const auto& name : names) {
        const std::size_t end = position + name.first.size();
        if (name.first.empty() || yaml.compare(position, name.first.size(), name.first) != 0) {
          continue;
        }
        if (end < yaml.size() && is_name_character(yaml[end])) continue;
        if (follows_image_key(yaml, position)) found = &name;
      }
    }
    if (found != nullptr) {
      out += found->second;
      position += found->first.size();
    } else {
      out += yaml[position++];
    }
  }
  return out;
}

std::vector<ManifestObject> objects_in_manifest(std::string_view yaml, std::string_view what) {
  std::vector<ManifestObject> objects;
  for_each_object(documents(yaml, what), what, [&](const YAML::Node& object) {
    const YAML::Node metadata = at(object, "metadata");
    objects.push_back({text_of(at(object, "kind")), text_of(at(metadata, "namespace")),
                       text_of(at(metadata, "name"))});
  });
  return objects;
}

}  // namespace kbundle
