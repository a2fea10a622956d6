// Manifests and lists as registries send them. The first byte chooses the declared media type, the
// rest is the document.
#include <array>

#include "fuzz.hpp"
#include "registry/types.hpp"

using namespace kbundle;

namespace {

constexpr std::array<const char*, 8> kTypes = {media_type::oci_manifest,
                                               media_type::oci_index,
                                               media_type::docker_manifest,
                                               media_type::docker_list,
                                               "",
                                               "application/json",
                                               "application/vnd.oci.image.index.v1+json; q=1",
                                               "text/plain"};

void check(const Descriptor& descriptor) {
  fuzz::expect(Digest::parse(descriptor.digest.str()) == descriptor.digest, "a digest is one");
  fuzz::expect(descriptor.size <= 1ULL << 50U, "sizes can be added up");
  fuzz::expect(descriptor.media_type.size() <= 255, "media types have a limit");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = fuzz::text(data + 1, size - 1);
  const char* declared = kTypes.at(data[0] % kTypes.size());
  fuzz::accepts([&] {
    const auto manifest = Manifest::parse(bytes, declared, "the manifest");
    fuzz::expect(media_type::is_manifest(manifest.media_type), "a manifest's type is one");
    check(manifest.config);
    for (const auto& layer : manifest.layers) check(layer);
    // CVE-2021-41190: one document, two meanings.
    for (const char* other : kTypes) {
      fuzz::expect(!fuzz::accepts([&] { Index::parse(bytes, other, "the list"); }),
                   "what is a manifest is no list, whatever it is declared as");
    }
  });
  fuzz::accepts([&] {
    const auto index = Index::parse(bytes, declared, "the list");
    fuzz::expect(media_type::is_index(index.media_type), "a list's type is one");
    for (const auto& entry : index.manifests) check(entry);
    for (const char* platform : {"linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64"}) {
      const auto wanted = Platform::parse(platform);
      const auto* found = index.find(wanted);
      fuzz::expect(found == nullptr || (media_type::is_manifest(found->media_type) &&
                                        found->platform && wanted.accepts(*found->platform)),
                   "what is found serves the platform");
    }
  });
  return 0;
}
