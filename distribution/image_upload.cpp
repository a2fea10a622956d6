#include "distribution/image_upload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "core/error.hpp"
#include "core/parallel.hpp"

namespace kbundle {
namespace {

// One blob and the images whose repositories want it. They are served one after the other, so that
// the second can have it mounted from the first.
struct BlobJob {
  Descriptor blob;
  std::vector<std::size_t> images;
};

class Upload {
 public:
  Upload(PushClient& client, const std::vector<UploadImage>& images, const BlobContent& content,
         const UploadSettings& settings, Progress& progress)
      : client_(client),
        images_(images),
        content_(content),
        settings_(settings),
        progress_(progress),
        outcomes_(images.size()),
        complete_(images.size()) {}

  std::vector<UploadOutcome> run() {
    for_each_parallel(images_.size(), settings_.parallel,
                      [&](std::size_t i) { complete_[i] = is_complete(images_[i]); });
    send_blobs();
    for_each_parallel(images_.size(), settings_.parallel,
                      [&](std::size_t i) { send_documents(i); });
    return std::move(outcomes_);
  }

 private:
  // The name that a document gets: the root the target's, others their tag or their digest.
  static Reference name_of(const UploadImage& image, const ImageTree::Document& document) {
    if (!document.tag.empty()) return image.target.with_digest({}).with_tag(document.tag);
    if (document.descriptor.digest == image.root) return image.target;
    return image.target.with_digest(document.descriptor.digest).with_tag("");
  }

  // A registry that has the root has what the root names; what refers to it is asked for one by
  // one.
  bool is_complete(const UploadImage& image) {
    if (client_.manifest_digest(image.target) != image.root) return false;
    bool below = true;  // documents stand before what names them, and referrers behind the root
    return std::all_of(image.documents.begin(), image.documents.end(), [&](const auto& document) {
      const bool known = below;
      if (document.descriptor.digest == image.root) below = false;
      return known ||
             client_.manifest_digest(name_of(image, document)) == document.descriptor.digest;
    });
  }

  std::vector<BlobJob> jobs() const {
    std::map<Digest, BlobJob> by_digest;
    for (std::size_t i = 0; i < images_.size(); ++i) {
      if (complete_[i]) continue;
      for (const Descriptor& blob : images_[i].blobs) {
        BlobJob& job = by_digest[blob.digest];
        job.blob = blob;
        job.images.push_back(i);
      }
    }
    std::vector<BlobJob> jobs;
    for (auto& [digest, job] : by_digest) jobs.push_back(std::move(job));
    // The largest first: the last ones to end are then short.
    std::sort(jobs.begin(), jobs.end(),
              [](const BlobJob& a, const BlobJob& b) { return a.blob.size > b.blob.size; });
    return jobs;
  }

  void send_blobs() {
    const auto all = jobs();
    std::uint64_t total = 0;
    for (const BlobJob& job : all) total += job.blob.size;
    const auto task = progress_.start(fmt::format("{} blobs", all.size()), total);
    for_each_parallel(all.size(), settings_.parallel,
                      [&](std::size_t i) { send_blob(all[i], *task); });
    task->done(all.empty()         ? "nothing to send"
               : settings_.dry_run ? "not sent: a dry run"
                                   : "digests held");
  }

  void send_blob(const BlobJob& job, ProgressTask& task) {
    std::string held_by;     // a repository that has the blob by now
    std::uint64_t told = 0;  // a blob counts once, however many repositories it goes to
    const auto on_bytes = [&](std::uint64_t bytes) {
      const auto part = std::min(bytes, job.blob.size - told);
      told += part;
      task.advance(part);
    };
    for (const std::size_t i : job.images) {
      const UploadImage& image = images_[i];
      if (held_by == image.target.repository()) continue;
      if (client_.has_blob(image.target, job.blob)) {
        held_by = image.target.repository();
        continue;
      }
      const std::string source = held_by.empty() ? image.mount_from : held_by;
      held_by = image.target.repository();
      if (settings_.dry_run) {
        note(i, source.empty() ? Uploaded::pushed : Uploaded::mounted,
             source.empty() ? job.blob.size : 0);
      } else if (!source.empty() && client_.mount(image.target, job.blob.digest, source)) {
        note(i, Uploaded::mounted, 0);
      } else {
        client_.blob(
            image.target, job.blob,
            [&](std::uint64_t offset) { return content_(job.blob, offset); }, on_bytes);
        note(i, Uploaded::pushed, job.blob.size);
      }
    }
    on_bytes(job.blob.size);
  }

  void send_documents(std::size_t i) {
    if (complete_[i]) return;
    note(i, Uploaded::mounted, 0);  // at least the name is new
    if (settings_.dry_run) return;
    const UploadImage& image = images_[i];
    for (const ImageTree::Document& document : image.documents) {
      const Descriptor& descriptor = document.descriptor;
      client_.manifest(name_of(image, document), document.bytes, descriptor.media_type);
    }
  }

  void note(std::size_t image, Uploaded how, std::uint64_t sent) {
    const std::lock_guard guard(mutex_);
    outcomes_[image].how = std::max(outcomes_[image].how, how);
    outcomes_[image].sent += sent;
  }

  PushClient& client_;
  const std::vector<UploadImage>& images_;
  const BlobContent& content_;
  const UploadSettings& settings_;
  Progress& progress_;
  std::mutex mutex_;
  std::vector<UploadOutcome> outcomes_;
  std::vector<char> complete_;  // char: written by several threads, each its own
};

}  // namespace

std::uint64_t content_size(const UploadImage& image) {
  std::uint64_t size = 0;
  for (const auto& document : image.documents) size += document.descriptor.size;
  for (const Descriptor& blob : image.blobs) size += blob.size;
  return size;
}

std::string to_string(Uploaded how) {
  switch (how) {
    case Uploaded::was_there:
      return "was there";
    case Uploaded::mounted:
      return "mounted";
    default:
      return "pushed";
  }
}

std::vector<UploadOutcome> upload(PushClient& client, const std::vector<UploadImage>& images,
                                  const BlobContent& content, const UploadSettings& settings,
                                  Progress& progress) {
  return Upload(client, images, content, settings, progress).run();
}

}  // namespace kbundle
