#include "builder/pack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/version.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

// Compressed layers stay in containerd's content store; unpacked they are about three times as
// large (upstream's control plane: 205 MB and 646 MB). The size inside a gzip stream is known
// modulo 4 GiB only, and not to be believed.
constexpr std::uint64_t kRuntimeFactor = 4;
// etcd's database and its log (up to 2 GiB by kubeadm's default quota is not reached by a young
// cluster), kubelet's folders, container logs, and kbundle's journal.
constexpr std::uint64_t kStateNeed = 2048 * kMiB;

Budgets budgets(const Settings& settings, const Resolved& resolved) {
  Budgets result;
  for (const Platform& platform : settings.platforms) {
    std::map<Digest, std::uint64_t> layers;  // shared ones once
    for (const ResolvedImage& image : resolved.images) {
      for (const ResolvedPlatform& each : image.platforms) {
        if (each.platform != platform) continue;
        for (const Descriptor& layer : each.layers) layers.emplace(layer.digest, layer.size);
      }
    }
    std::uint64_t runtime = 0;
    for (const auto& [digest, size] : layers) runtime += size;
    std::uint64_t programs = kMiB;  // units and configuration
    for (const ResolvedFile& file : resolved.files) {
      for (const FileRecord& record : file.records) {
        if (record.platform == platform) programs += record.size;
      }
    }
    result.disk_runtime = std::max(result.disk_runtime, kRuntimeFactor * runtime);
    result.disk_programs = std::max(result.disk_programs, programs);
  }
  result.disk_state = kStateNeed;
  result.memory = static_cast<std::uint64_t>(settings.facts.min_memory_mb) * kMiB;
  return result;
}

void add_blob(Inventory& inventory, const Digest& digest, std::uint64_t size) {
  BlobRecord blob;
  blob.digest = digest;
  blob.size = size;
  inventory.blobs.push_back(std::move(blob));
}

[[noreturn]] void incomplete(const std::string& what) {
  throw Error(ExitCode::verification, "the bundle would not be complete: " + what,
              "run the same command again; if it says this twice, report it");
}

void check_image(const Inventory& inventory, const Reference& wanted, const Platform& platform,
                 const std::string& by) {
  for (const ImageRecord& image : inventory.images) {
    if (std::find(image.names.begin(), image.names.end(), wanted.str()) == image.names.end()) {
      continue;
    }
    for (const ImagePlatform& each : image.platforms) {
      if (platform.accepts(each.platform)) return;
    }
  }
  incomplete(fmt::format("{} asks for {} on {}", by, wanted.str(), platform.str()));
}

}  // namespace

Inventory make_inventory(const Settings& settings, const Resolved& resolved,
                         const BlobStore& store) {
  Inventory inventory;
  inventory.line = resolved.lock.line;
  inventory.serial = resolved.lock.serial;
  inventory.created = resolved.lock.created;
  inventory.kubernetes_version = settings.facts.version.str();
  inventory.platforms = settings.platforms;
  inventory.cni = resolved.cni.name;
  inventory.kbundle_version = kbundle_version();
  inventory.budgets = budgets(settings, resolved);
  for (const ResolvedImage& image : resolved.images) {
    inventory.images.push_back(image.record());
    add_blob(inventory, image.digest, image.size);
    for (const ResolvedPlatform& each : image.platforms) {
      add_blob(inventory, each.manifest.digest, each.manifest.size);
      add_blob(inventory, each.config.digest, each.config.size);
      for (const Descriptor& layer : each.layers) add_blob(inventory, layer.digest, layer.size);
    }
    for (const ResolvedReferrer& each : image.referrers) {
      add_blob(inventory, each.manifest.digest, each.manifest.size);
      for (const Descriptor& blob : each.blobs) add_blob(inventory, blob.digest, blob.size);
    }
  }
  for (const ResolvedFile& file : resolved.files) {
    for (const FileRecord& record : file.records) {
      inventory.files.push_back(record);
      add_blob(inventory, record.digest, record.size);
    }
  }
  auto& blobs = inventory.blobs;
  std::sort(blobs.begin(), blobs.end(),
            [](const auto& left, const auto& right) { return left.digest < right.digest; });
  for (std::size_t i = 1; i < blobs.size(); ++i) {
    if (blobs[i].digest == blobs[i - 1].digest && blobs[i].size != blobs[i - 1].size) {
      throw Error(ExitCode::verification,
                  fmt::format("{} is said to have {} bytes and {} bytes", blobs[i].digest.str(),
                              blobs[i - 1].size, blobs[i].size));
    }
  }
  blobs.erase(
      std::unique(blobs.begin(), blobs.end(),
                  [](const auto& left, const auto& right) { return left.digest == right.digest; }),
      blobs.end());
  for (const BlobRecord& blob : blobs) {
    if (store.find(blob.digest) != blob.size) {
      incomplete(fmt::format("the cache has no {} of {} bytes", blob.digest.str(), blob.size));
    }
  }
  return inventory;
}

void check_closed(const Settings& settings, const Catalog& catalog, const Inventory& inventory,
                  const BlobStore& store) {
  const KubernetesFacts facts = catalog.facts(inventory.kubernetes_version);
  for (const Platform& platform : settings.platforms) {
    for (const std::string& image : facts.images) {
      check_image(inventory, Reference::parse(image), platform, "kubeadm");
    }
    for (const DownloadFacts& program :
         catalog.downloads(facts, platform.architecture, settings.with)) {
      const auto& without = settings.without;
      if (std::find(without.begin(), without.end(), program.component) != without.end()) continue;
      if (inventory.find_file(program.component, platform) == nullptr) {
        incomplete(fmt::format("{} for {} is missing", program.component, platform.str()));
      }
    }
  }
  if (settings.cni == "none") return;
  const auto manifest =
      std::find_if(inventory.files.begin(), inventory.files.end(),
                   [](const FileRecord& file) { return file.component == kCniComponent; });
  if (manifest == inventory.files.end()) incomplete("the network manifest is missing");
  for (const WantedImage& wanted :
       manifest_images(store.read(manifest->digest), settings.platforms, kCniComponent)) {
    check_image(inventory, wanted.name, wanted.platforms.front(), "the network manifest");
  }
}

std::uint64_t least_bundle_size(const Inventory& inventory) {
  std::set<Digest> programs;
  for (const FileRecord& file : inventory.files) programs.insert(file.digest);
  std::uint64_t size = 0;
  for (const BlobRecord& blob : inventory.blobs) {
    size += programs.contains(blob.digest) ? blob.size / 5 : blob.size;
  }
  return size;
}

}  // namespace kbundle
