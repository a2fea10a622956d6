#include "distribution/layout_index.hpp"

#include <catch2/catch.hpp>

#include "../temporary_folder.hpp"
#include "core/error.hpp"
#include "core/file.hpp"

using namespace kbundle;

namespace {

ImageTree tree(const char* name, const std::string& bytes) {
  ImageTree tree;
  tree.name = Reference::parse(name);
  ImageTree::Document document;
  document.descriptor.media_type = media_type::oci_manifest;
  document.descriptor.digest = sha256(bytes);
  document.descriptor.size = bytes.size();
  document.bytes = bytes;
  tree.root = document.descriptor.digest;
  tree.documents.push_back(document);
  return tree;
}

}  // namespace

TEST_CASE("a name has one image, and other entries stay") {
  const test::TemporaryFolder folder;
  const auto file = folder / "index.json";
  LayoutIndex index = LayoutIndex::read(file);
  index.put(tree("r.local/a:1", "first"));
  index.put(tree("r.local/b:1", "other"));
  write_file(file, index.serialize());
  LayoutIndex again = LayoutIndex::read(file);
  again.put(tree("r.local/a:1", "second"));
  again.put(tree("r.local/b:1", "other"));
  const auto read = Index::parse(again.serialize(), media_type::oci_index, "index.json");
  REQUIRE(read.manifests.size() == 2);
  for (const Descriptor& entry : read.manifests) {
    const auto name = entry.annotations.at("io.containerd.image.name");
    CHECK(entry.digest == sha256(name == "r.local/a:1" ? "second" : "other"));
  }
}

TEST_CASE("a file that is no index is refused") {
  const test::TemporaryFolder folder;
  const auto file = folder / "index.json";
  for (const char* text : {"", "[]", "{}", "{\"schemaVersion\":2}",
                           "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}"}) {
    write_file(file, text);
    CHECK_THROWS_AS(LayoutIndex::read(file), Error);
  }
}
