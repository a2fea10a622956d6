// A small bundle for tests: blobs in memory, an inventory over them, and a folder that goes away.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bundles/reader.hpp"
#include "bundles/writer.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/json.hpp"
#include "core/process.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace kbundle::test {

/// Bytes that do not compress, the same in every run.
inline std::string random_bytes(std::size_t size, std::uint32_t seed) {
  std::mt19937_64 generator(seed);
  std::string bytes(size, '\0');
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    const auto word = generator();
    std::copy_n(reinterpret_cast<const char*>(&word), 8, bytes.begin() + static_cast<long>(i));
  }
  for (; i < size; ++i) bytes[i] = static_cast<char>(generator());
  return bytes;
}

struct Sample {
  Inventory inventory;
  std::map<Digest, std::string> blobs;

  Digest add(std::string content) {
    const auto digest = sha256(content);
    if (blobs.emplace(digest, content).second) {
      inventory.blobs.push_back({digest, content.size(), "identity", 0});
    }
    return digest;
  }

  Descriptor describe(const std::string& type, const std::string& content) {
    return {type, add(content), content.size(), {}, {}};
  }

  void add_file(const std::string& component, const std::string& path, std::string content) {
    FileRecord file;
    file.component = component;
    file.path = path;
    file.mode = 0755;
    file.platform = {"linux", "amd64", ""};
    file.size = content.size();
    file.digest = add(std::move(content));
    file.version = "v1.18.2";
    inventory.files.push_back(file);
  }

  /// An image of one layer. With `index`, its name stands for an OCI index over the manifest and
  /// one of another architecture, which is not in the bundle.
  void add_image(std::vector<std::string> names, const std::string& layer, bool index) {
    const auto json = [](const Descriptor& one) {
      return Json{{"mediaType", one.media_type}, {"digest", one.digest.str()}, {"size", one.size}};
    };
    const auto config = describe("application/vnd.oci.image.config.v1+json",
                                 R"({"architecture":"amd64","os":"linux","of":")" + names[0] +
                                     R"(","rootfs":{"type":"layers","diff_ids":[]}})");
    const auto layer_blob = describe("application/vnd.oci.image.layer.v1.tar+gzip", layer);
    const auto manifest =
        describe(media_type::oci_manifest, Json{{"schemaVersion", 2},
                                                {"mediaType", media_type::oci_manifest},
                                                {"config", json(config)},
                                                {"layers", Json::array({json(layer_blob)})}}
                                               .dump());
    auto top = manifest;
    if (index) {
      Json here = json(manifest);
      here["platform"] = {{"os", "linux"}, {"architecture", "amd64"}};
      Json other = {{"mediaType", media_type::oci_manifest},
                    {"digest", sha256("other").str()},
                    {"size", 5},
                    {"platform", {{"os", "linux"}, {"architecture", "arm64"}}}};
      top = describe(media_type::oci_index, Json{{"schemaVersion", 2},
                                                 {"mediaType", media_type::oci_index},
                                                 {"manifests", Json::array({other, here})}}
                                                .dump());
    }
    ImageRecord image;
    image.names = std::move(names);
    image.digest = top.digest;
    image.media_type = top.media_type;
    image.size = top.size;
    image.platforms = {{Platform{"linux", "amd64", ""}, manifest.digest, config.digest}};
    inventory.images.push_back(image);
  }

  std::unique_ptr<Source> open(const Digest& digest) const {
    return std::make_unique<StringSource>(blobs.at(digest));
  }

  WriteResult write(const std::filesystem::path& target, const PrivateKey& key,
                    WriteOptions options = {}) const {
    const auto progress = make_progress(ProgressMode::quiet);
    return write_bundle(
        target, inventory, [this](const Digest& digest) { return open(digest); }, key, options,
        *progress);
  }
};

inline Sample empty_sample() {
  Sample sample;
  auto& inventory = sample.inventory;
  inventory.line = "kubernetes-v1.18-linux-amd64";
  inventory.serial = 3;
  inventory.created = "2026-01-31T12:00:00Z";
  inventory.kubernetes_version = "v1.18.2";
  inventory.platforms = {{"linux", "amd64", ""}};
  inventory.cni = "flannel v0.12.0";
  inventory.budgets = {1, 2, 3, 4};
  return sample;
}

/// One file and nothing else: the smallest head, for tests that go over every bit.
inline Sample tiny_sample() {
  auto sample = empty_sample();
  sample.add_file("kubeadm", "/usr/bin/kubeadm", "#!/bin/sh\necho kubeadm\n");
  return sample;
}

inline Sample small_sample() {
  auto sample = empty_sample();
  sample.add_image({"k8s.gcr.io/kube-apiserver:v1.18.2", "registry.local/kube-apiserver:v1.18.2"},
                   random_bytes(3000, 1), true);
  sample.add_image({"k8s.gcr.io/pause:3.2"}, random_bytes(700, 2), false);
  sample.add_file("kubeadm", "/usr/bin/kubeadm", "#!/bin/sh\necho kubeadm\n");
  sample.add_file("kubelet", "/usr/bin/kubelet", std::string(200000, 'k'));
  sample.add_file("empty", "/etc/kbundle/empty", "");
  return sample;
}

inline Bundle open_signed(const std::filesystem::path& path, const PrivateKey& key) {
  return Bundle::open_with_keys(path, {key.public_key()});
}

/// What an Error that `action` throws says; empty when it throws none.
template <typename Action>
std::string refusal(Action&& action, ExitCode code = ExitCode::verification) {
  try {
    action();
  } catch (const Error& error) {
    return error.code() == code ? error.message() : "other exit code: " + error.message();
  }
  return {};
}

inline CommandResult shell(const std::string& script) {
  Command command;
  command.argv = {"sh", "-c", script};
  return run(command);
}

}  // namespace kbundle::test
