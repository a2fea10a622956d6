// The upstream in memory (support.hpp); named *_test.cpp to be built with the tests.
#include "tests/unit/builder/support.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>

#include "core/json.hpp"
#include "manifests/catalog.hpp"

namespace kbundle::test {
namespace {

Json descriptor(const std::string& type, const std::string& bytes) {
  return {{"mediaType", type}, {"digest", sha256(bytes).str()}, {"size", bytes.size()}};
}

void store_as(BlobStore& store, const Digest& digest, const std::string& bytes) {
  auto partial = store.open_partial(digest);
  partial.restart();
  partial.append(std::as_bytes(std::span(bytes.data(), bytes.size())));
  partial.commit(bytes.size());
}

}  // namespace

void MemoryUpstream::ask(const std::string& what) {
  const std::lock_guard guard(mutex_);
  asked.push_back(what);
  for (const std::string& host : down) {
    if (what.find(host + "/") != std::string::npos) {
      throw Error(ExitCode::network, "cannot connect to " + host);
    }
  }
}

std::optional<ManifestAnswer> MemoryUpstream::manifest(const Reference& reference) {
  const std::string key =
      reference.name() + (reference.digest().empty() ? ":" : "@") + reference.target();
  ask(key);
  const auto found = documents.find(key);
  if (found == documents.end()) return std::nullopt;
  return ManifestAnswer{found->second.first, found->second.second, sha256(found->second.first)};
}

bool MemoryUpstream::blob(const Reference& repository, const Descriptor& wanted, BlobStore& store,
                          const OnBytes& on_bytes) {
  const std::string key = repository.name() + "@" + wanted.digest.str();
  ask(key);
  const auto found = blobs.find(key);
  if (found == blobs.end()) return false;
  store_as(store, wanted.digest, found->second);
  on_bytes(found->second.size());
  return true;
}

std::optional<std::string> MemoryUpstream::file(const std::string& url, std::uint64_t) {
  ask(url);
  const auto found = files.find(url);
  if (found == files.end()) return std::nullopt;
  return found->second;
}

bool MemoryUpstream::download(const std::string& url, const Digest& digest, BlobStore& store,
                              const OnBytes&, const OnBytes& on_bytes) {
  const auto bytes = file(url, 0);
  if (!bytes) return false;
  store_as(store, digest, *bytes);
  on_bytes(bytes->size());
  return true;
}

std::optional<RegistryClient::Found> MemoryUpstream::download_unknown(const std::string& url,
                                                                      BlobStore& store,
                                                                      const OnBytes& on_bytes) {
  const auto bytes = file(url, 0);
  if (!bytes) return std::nullopt;
  store_as(store, sha256(*bytes), *bytes);
  on_bytes(bytes->size());
  return RegistryClient::Found{sha256(*bytes), bytes->size()};
}

void MemoryUpstream::add_image(const std::string& name,
                               const std::vector<std::string>& architectures) {
  const Reference reference = Reference::parse(name);
  const std::string repository = reference.name();
  Json entries = Json::array();
  std::string root;
  std::string type = media_type::oci_manifest;
  for (const std::string& architecture : architectures) {
    const std::string config =
        Json{{"os", "linux"}, {"architecture", architecture}, {"name", name}}.dump();
    const std::string layer = "layer of " + name + " for " + architecture;
    const std::string shared = "the base layer that all images share";
    Json layers = Json::array();
    for (const std::string& bytes : {shared, layer}) {
      layers.push_back(descriptor("application/vnd.oci.image.layer.v1.tar+gzip", bytes));
      blobs[repository + "@" + sha256(bytes).str()] = bytes;
    }
    blobs[repository + "@" + sha256(config).str()] = config;
    root = Json{{"schemaVersion", 2},
                {"mediaType", type},
                {"config", descriptor("application/vnd.oci.image.config.v1+json", config)},
                {"layers", layers}}
               .dump();
    documents[repository + "@" + sha256(root).str()] = {root, media_type::oci_manifest};
    Json entry = descriptor(media_type::oci_manifest, root);
    entry["platform"] = {{"os", "linux"}, {"architecture", architecture}};
    entries.push_back(std::move(entry));
  }
  if (architectures.size() > 1) {
    type = media_type::oci_index;
    root = Json{{"schemaVersion", 2}, {"mediaType", type}, {"manifests", entries}}.dump();
    documents[repository + "@" + sha256(root).str()] = {root, type};
  }
  documents[repository + ":" + reference.tag()] = {root, type};
}

void MemoryUpstream::add_v1_18_2() {
  const Catalog& catalog = Catalog::builtin();
  const KubernetesFacts facts = catalog.facts("v1.18.2");
  for (const std::string& image : facts.images) add_image(image, {"amd64", "arm64"});
  add_image(facts.keepalived_image, {"amd64", "arm64"});
  std::string manifest;
  for (const std::string architecture : {"amd64", "arm64"}) {
    const std::string image = "quay.io/coreos/flannel:v0.12.0-" + architecture;
    add_image(image, {architecture});
    manifest += "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: f-" + architecture +
                "}\nspec:\n  template:\n    spec:\n      nodeSelector: {kubernetes.io/arch: " +
                architecture + "}\n      containers:\n      - image: " + image + "\n";
    for (const DownloadFacts& program : catalog.downloads(facts, architecture)) {
      std::string bytes = program.component + " for " + architecture;
      if (program.component == "crictl") bytes = tar_gz({{"crictl", bytes}});
      if (program.component == "cni-plugins") {
        bytes = tar_gz({{"./bridge", "bridge " + architecture}, {"./flannel", "f"}});
      }
      if (program.component == "containerd") {
        bytes = tar_gz({{"bin/containerd", "c " + architecture}, {"bin/ctr", "ctr"}});
      }
      files[program.url] = bytes;
      if (program.sum_url.empty()) continue;
      const std::string line =
          sha256(bytes).hex() + (program.sum_name.empty() ? "" : "  " + program.sum_name) + "\n";
      files[program.sum_url] += line;
    }
  }
  files[catalog.cni(facts, "flannel", "amd64")->manifest_url] = manifest;
}

std::string tar_gz(const std::map<std::string, std::string>& members) {
  archive* writer = archive_write_new();
  archive_write_set_format_ustar(writer);
  archive_write_add_filter_gzip(writer);
  archive_write_set_filter_option(writer, "gzip", "timestamp", nullptr);  // else the time is in it
  std::string out(1U << 20U, '\0');
  std::size_t used = 0;
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  for (const auto& [name, content] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0755);
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_write_header(writer, entry);
    archive_write_data(writer, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return out.substr(0, used);
}

}  // namespace kbundle::test
