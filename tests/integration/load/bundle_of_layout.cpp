// usage: bundle-of-layout LAYOUT BUNDLE PUBLIC_KEY: a bundle of the images of an OCI layout, as a
// stand-in for what `kbundle build` makes, signed with a key of its own.
#include <iostream>

#include "bundles/writer.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/json.hpp"
#include "registry/types.hpp"

using namespace kbundle;

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::filesystem::path layout = argv[1];
  const auto blob = [&](const Digest& digest) { return layout / "blobs/sha256" / digest.hex(); };
  try {
    Inventory inventory;
    inventory.line = "kubernetes-v1.18-linux-amd64";
    inventory.created = "2026-01-31T12:00:00Z";
    inventory.kubernetes_version = "v1.18.2";
    inventory.platforms = {{"linux", "amd64", ""}};
    inventory.cni = "none";
    inventory.budgets = {1, 1, 1, 1};
    for (const auto& entry : std::filesystem::directory_iterator(layout / "blobs/sha256"))
      inventory.blobs.push_back(
          {Digest::from_hex(entry.path().filename().string()), entry.file_size(), "identity", 0});
    const Json index = Json::parse(read_file(layout / "index.json"));
    for (const Json& one : index.at("manifests")) {
      ImageRecord image;
      image.names = {one.at("annotations").at("io.containerd.image.name")};
      image.digest = Digest::parse(one.at("digest").get<std::string>());
      image.media_type = one.at("mediaType");
      image.size = one.at("size");
      const auto manifest =
          Manifest::parse(read_file(blob(image.digest)), image.media_type, image.names[0]);
      image.platforms = {{Platform{"linux", "amd64", ""}, image.digest, manifest.config.digest}};
      inventory.images.push_back(image);
    }
    const auto key = PrivateKey::generate();
    const auto progress = make_progress(ProgressMode::quiet);
    write_bundle(
        argv[2], inventory,
        [&](const Digest& digest) {
          return std::make_unique<FdSource>(FdSource::open(blob(digest)));
        },
        key, {}, *progress);
    write_file(argv[3], key.public_key().pem());
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
