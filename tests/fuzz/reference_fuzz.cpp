// Names of images, from the command line, locks and manifests.
#include "fuzz.hpp"
#include "registry/reference.hpp"

using namespace kbundle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::text(data, size);
  fuzz::accepts(
      [&] {
        const auto reference = Reference::parse(bytes);
        fuzz::expect(Reference::parse(reference.str()) == reference, "what it says it is, it is");
        fuzz::expect(!reference.host().empty() && !reference.repository().empty(),
                     "host and repository are there");
        fuzz::expect(!reference.target().empty(), "there is something to ask for");
        fuzz::expect(reference.name().size() <= 255, "names have a limit");
        // It goes into URLs and file names.
        fuzz::expect(reference.str().find_first_of(" \t\r\n?#%\\\"'") == std::string::npos &&
                         reference.repository().find("..") == std::string::npos &&
                         reference.repository().find("//") == std::string::npos,
                     "a repository is a plain path");
        fuzz::expect(reference.with_host(reference.host()) == reference &&
                         reference.with_repository(reference.repository()) == reference,
                     "parts put back change nothing");
      },
      ExitCode::usage);
  return 0;
}
