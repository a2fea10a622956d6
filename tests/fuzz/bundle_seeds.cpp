// fuzz-bundle-seeds FOLDER: a first corpus for the bundle's fuzz targets, one folder each.
#include <iostream>

#include "../unit/bundles/sample.hpp"
#include "bundles/head.hpp"

using namespace kbundle;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz-bundle-seeds FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  for (const auto* name : {"envelope", "inventory", "head", "body", "key"}) {
    make_folders(folder / name);
  }
  const test::TemporaryFolder work;
  int number = 0;
  for (const auto algorithm : {KeyAlgorithm::ed25519, KeyAlgorithm::ecdsa_p256}) {
    const auto key = PrivateKey::generate(algorithm);
    for (const auto& sample : {test::tiny_sample(), test::small_sample()}) {
      const std::string name = std::to_string(number++);
      sample.write(work / name, key);
      const auto bundle = test::open_signed(work / name, key);
      const auto bytes = read_file(work / name);
      const auto head_size = bundle.inventory().head_size;
      const auto first = bundle.inventory().frames.at(0).stored_size;
      const auto head = read_head(FileRandomSource::open(work / name));
      write_file(folder / "envelope" / name, head.envelope);
      write_file(folder / "inventory" / name, bundle.payload());
      write_file(folder / "head" / name, bytes.substr(0, head_size));
      write_file(folder / "body" / name, bytes.substr(head_size, first));
      write_file(folder / "key" / name, key.public_key().pem());
    }
  }
  return 0;
}
