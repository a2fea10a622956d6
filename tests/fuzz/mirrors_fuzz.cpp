// A mirror rule on the first line, and behind it what it is for: a reference and a URL.
#include <algorithm>

#include "fuzz.hpp"
#include "registry/mirrors.hpp"

using namespace kbundle;

namespace {

void check_places(const Mirrors& mirrors, const Reference& upstream) {
  fuzz::accepts(
      [&] {
        const auto places = mirrors.places(upstream);
        fuzz::expect(std::find(places.begin(), places.end(), upstream) != places.end(),
                     "upstream is one of the places");
        fuzz::expect(places.size() <= 3, "one rule, one place");
        for (const auto& place : places) {
          fuzz::expect(place.tag() == upstream.tag() && place.digest() == upstream.digest(),
                       "tag and digest stay upstream's");
          fuzz::expect(Reference::parse(place.str()) == place, "a place is a reference");
        }
      },
      ExitCode::usage);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text(data, size);
  const auto line = fuzz::take_line(rest);
  fuzz::accepts(
      [&] {
        const auto rule = MirrorRule::parse(line);
        const auto again = MirrorRule::parse(rule.str());
        fuzz::expect(again.from == rule.from && again.to == rule.to, "what it says it is, it is");
        fuzz::expect(!rule.place().empty() && rule.to.starts_with(rule.place()),
                     "a rule leads somewhere");
        const Mirrors mirrors({rule});
        const auto reference_text = fuzz::take_line(rest);
        const std::string url(fuzz::take_line(rest));
        const auto places = mirrors.places(url);
        fuzz::expect(std::find(places.begin(), places.end(), url) != places.end(),
                     "upstream is one of the places");
        check_places(mirrors, Reference::parse(reference_text));
      },
      ExitCode::usage);
  return 0;
}
