#include "cli/selection_flags.hpp"

namespace kbundle::cli {

void add_selection_flags(CLI::App& verb, std::vector<std::string>& architectures, bool& referrers,
                         const std::string& otherwise) {
  verb.add_option("--arch", architectures, "architectures of lists, or all; default: " + otherwise)
      ->delimiter(',')
      ->type_name("LIST");
  verb.add_flag("--referrers", referrers, "signatures, SBOMs and attestations come along");
}

void select(const std::vector<std::string>& architectures, Selection& selection) {
  for (const auto& word : architectures) {
    if (word == "all")
      selection.all = true;
    else
      selection.platforms.push_back(
          Platform::parse(word.find('/') == std::string::npos ? "linux/" + word : word));
  }
}

}  // namespace kbundle::cli
