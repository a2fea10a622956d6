// A container runtime that the kubelet talks to, as install needs it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bundles/image_stream.hpp"
#include "bundles/inventory.hpp"
#include "core/digest.hpp"
#include "core/stream.hpp"
#include "installer/phase.hpp"

namespace kbundle {

struct Context;

/// A name in the runtime's image store.
struct RuntimeImage {
  std::string name;
  Digest digest;
  bool complete = false;  ///< all content of this platform is there and unpacked
  bool pinned = false;    ///< kept from garbage collection
};

/// A blob that the runtime believes to have and whose bytes are gone or wrong. Importing an image
/// does not heal it, since what is recorded is skipped: drop_content() first.
struct DamagedBlob {
  Digest digest;
  std::string why;    ///< "has 1000 of 46326550 bytes"
  bool gone = false;  ///< no bytes at all
};

/// Images of a bundle, for what a runtime does with several at once.
struct LoadJob {
  const Bundle& bundle;
  Platform platform;
  std::vector<StreamImage> images;
  std::set<Digest> whole;  ///< blobs that the runtime has already
  /// Hears of the bytes that were brought: each blob once, layers twice (kept, and unpacked).
  std::function<void(std::uint64_t)> on_bytes;
};

class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual std::string name() const = 0;
  /// Whether the host has one of its own, which is configured but never replaced.
  virtual bool host_has_own() const = 0;
  /// "1.6.20", or empty when it cannot be told yet.
  virtual std::string version() const = 0;
  /// Installed, configured for this cluster (pause image, plugins) and answering.
  virtual PhaseCheck check() = 0;
  virtual void ensure() = 0;
  /// Path of the CRI socket, without scheme.
  virtual std::string cri_socket() const = 0;
  /// "systemd" or "cgroupfs": what the kubelet must use as well.
  virtual std::string cgroup_driver() const = 0;
  /// The pause image it starts pods with; empty: the kubelet tells it.
  virtual std::string sandbox_image() const = 0;
  /// Where it keeps images: "/var/lib/containerd".
  virtual std::string data_root() const = 0;
  /// Why it cannot unpack images as it is set to; empty: it can. It must answer.
  virtual std::string snapshotter_trouble() const { return {}; }
  /// Its systemd unit.
  virtual std::string unit() const = 0;
  /// Whether it answers now; the calls below need that.
  virtual bool answers() const = 0;
  virtual std::vector<RuntimeImage> images() const = 0;
  /// The digest under which images() gives an image of the bundle when it is right: upstream's.
  /// Docker cannot hold a foreign one and gives the config's.
  virtual Digest listed_digest(const ImageRecord& image) const { return image.digest; }
  /// Whether an archive may leave out blobs that the runtime has.
  virtual bool takes_partial_archives() const { return true; }
  /// Loads an image archive that `feed` writes.
  virtual void load(const std::function<void(Sink&)>& feed) = 0;
  /// Why load_fast() cannot be used here; empty when it can.
  virtual std::string unfit_for_fast_load() const { return name() + " has no way for it"; }
  /// As load() of the images, sooner: kbundle unpacks the layers itself. Gives a line for each
  /// layer that is unusual and was left to the runtime. UnusualLayer when all of it is better left
  /// so; what was made until then stays, and is used by load().
  virtual std::vector<std::string> load_fast(const LoadJob& job) {
    (void)job;
    return {};
  }
  /// Finishes what a load_fast() that was killed left of images that are there by now.
  virtual void settle(const LoadJob& job) { (void)job; }
  /// Forgets the images and what was unpacked for them alone: it may not have reached the disk.
  virtual void drop_images(const LoadJob& job) { (void)job; }
  virtual void pin(const std::string& image) = 0;
  /// Whether the kubelet hears of pin() and spares the image.
  virtual bool tells_of_pins() const { return false; }
  /// What of `wanted` is not in the runtime's content as it should be. By size, in milliseconds;
  /// `deep` reads and hashes every byte. Empty where a runtime keeps no content of its own. Damage
  /// to unpacked files is not seen.
  virtual std::vector<DamagedBlob> damaged_content(const std::vector<BlobRecord>& wanted,
                                                   bool deep) const {
    (void)wanted, (void)deep;
    return {};
  }
  /// Makes the runtime forget these, so that the next load() brings them again. Images that use
  /// them stay recorded, as incomplete.
  virtual void drop_content(const std::vector<Digest>& digests) { (void)digests; }
  /// Brings what was loaded to the disk; the runtimes themselves do not.
  virtual void sync() {}
};

std::unique_ptr<Runtime> make_containerd(Context& context);
std::unique_ptr<Runtime> make_docker(Context& context);
/// What --runtime names. Error{usage} when this Kubernetes cannot use it.
std::unique_ptr<Runtime> make_runtime(Context& context);

}  // namespace kbundle
