// WWW-Authenticate: one header value on each line.
#include "fuzz.hpp"
#include "registry/auth.hpp"

using namespace kbundle;

namespace {

std::string spell(const std::vector<Challenge>& challenges) {
  std::string text;
  for (const auto& challenge : challenges) {
    text += (text.empty() ? "" : ", ") + challenge.scheme;
    char separator = ' ';
    for (const auto& [key, value] : challenge.parameters) {
      text += separator + key + "=\"";
      for (const char c : value) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
      }
      text += '"';
      separator = ',';
    }
  }
  return text;
}

bool same(const std::vector<Challenge>& left, const std::vector<Challenge>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const Challenge& a, const Challenge& b) {
                      return a.scheme == b.scheme && a.parameters == b.parameters;
                    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text(data, size);
  std::vector<std::string> values;
  while (!rest.empty()) values.emplace_back(fuzz::take_line(rest));
  fuzz::accepts(
      [&] {
        const auto challenges = parse_challenges(values);
        fuzz::expect(challenges.size() <= 16, "challenges have a limit");
        for (const auto& challenge : challenges) {
          fuzz::expect(!challenge.scheme.empty() && challenge.parameters.size() <= 32,
                       "parameters have a limit");
        }
        const auto spelled = spell(challenges);
        if (spelled.size() > 8 * 1024) return;  // more than it was, by its quotes
        fuzz::expect(same(parse_challenges({spelled}), challenges), "spelt out it is the same");
      },
      ExitCode::network);
  return 0;
}
