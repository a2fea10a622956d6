#include "installer/runtimes/containerd_images.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <thread>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr const char* kPinned = "io.cri-containerd.pinned=pinned";

std::vector<std::string> fields(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> result;
  for (std::string word; in >> word;) result.push_back(word);
  return result;
}

}  // namespace

std::string content_store(const ContainerdAccess& access) {
  return access.root + "/io.containerd.content.v1.content";
}

std::vector<std::string> ctr_argv(const ContainerdAccess& access,
                                  const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {access.ctr, "--address", access.address, "-n", "k8s.io"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

CommandResult run_ctr(const ContainerdAccess& access, const std::vector<std::string>& arguments,
                      std::chrono::milliseconds timeout) {
  return access.host.run({.argv = ctr_argv(access, arguments), .timeout = timeout});
}

CommandResult run_ctr_checked(const ContainerdAccess& access,
                              const std::vector<std::string>& arguments,
                              std::chrono::milliseconds timeout) {
  return access.host.run_checked({.argv = ctr_argv(access, arguments), .timeout = timeout});
}

std::map<std::string, RuntimeImage> parse_ctr_images(const std::string& check,
                                                     const std::string& list) {
  std::map<std::string, RuntimeImage> images;
  for (const std::string& line : split(check, '\n')) {
    const auto columns = fields(line);
    if (columns.size() < 5 || !columns[2].starts_with("sha256:")) continue;
    RuntimeImage image;
    image.name = columns[0];
    image.digest = Digest::parse(columns[2]);
    image.complete = columns[3] == "complete" && columns.back() == "true";
    images[image.name] = image;
  }
  for (const std::string& line : split(list, '\n')) {
    const auto columns = fields(line);
    if (columns.size() < 4) continue;
    if (const auto found = images.find(columns[0]); found != images.end())
      found->second.pinned = columns.back().find(kPinned) != std::string::npos;
  }
  return images;
}

std::vector<RuntimeImage> ContainerdImages::images() const {
  std::vector<std::string> check = {"images", "check"};
  if (!access_.snapshotter.empty())
    check.insert(check.end(), {"--snapshotter", access_.snapshotter});
  const auto state = run_ctr(access_, check);
  const auto list = run_ctr(access_, {"images", "ls"});
  std::vector<RuntimeImage> result;
  for (auto& [name, image] : parse_ctr_images(state.output, list.output))
    result.push_back(std::move(image));
  return result;
}

void ContainerdImages::load(const std::function<void(Sink&)>& feed, bool unpack) const {
  std::vector<std::string> arguments = {"images", "import"};
  if (!unpack) {
    arguments.emplace_back("--no-unpack");
  } else if (!access_.snapshotter.empty()) {
    arguments.insert(arguments.end(), {"--snapshotter", access_.snapshotter});
  }
  arguments.emplace_back("-");
  Command command;
  command.argv = ctr_argv(access_, arguments);
  command.feed = feed;
  command.timeout = std::chrono::minutes(60);
  access_.host.run_checked(std::move(command));
}

void ContainerdImages::pin(const std::string& image) const {
  const auto result =
      run_ctr(access_, {"images", "label", image, kPinned}, std::chrono::seconds(60));
  if (!result.ok())
    throw Error(ExitCode::phase,
                "the image " + image + " could not be pinned: " + std::string(trim(result.errors)));
}

std::string ContainerdImages::blob_path(const Digest& digest) const {
  return content_store(access_) + "/blobs/" + digest.algorithm() + "/" + digest.hex();
}

// `ctr images check` looks into containerd's database alone: on 1.6 it calls an image complete
// whose blob's file is cut short or gone.
std::vector<DamagedBlob> ContainerdImages::damaged_content(const std::vector<BlobRecord>& wanted,
                                                           bool deep) const {
  const Host& host = access_.host;
  // A content store elsewhere (a proxy plugin) is not ours to judge.
  if (!host.exists(content_store(access_) + "/blobs")) return {};
  // The digests are remembered by Host: asked for below again, they cost nothing.
  if (deep)
    for_each_parallel(wanted.size(), std::thread::hardware_concurrency(), [&](std::size_t i) {
      static_cast<void>(host.digest(blob_path(wanted[i].digest)));
    });
  std::vector<DamagedBlob> damaged;
  for (const BlobRecord& blob : wanted) {
    const auto path = host.at(blob_path(blob.digest));
    struct stat file {};
    if (::stat(path.c_str(), &file) != 0) {
      if (errno != ENOENT) throw_errno("look at " + path.string(), errno, ExitCode::phase);
      damaged.push_back({blob.digest, "its file is gone", true});
      continue;
    }
    const auto size = static_cast<std::uint64_t>(file.st_size);
    if (size != blob.size) {
      damaged.push_back({blob.digest, "has " + std::to_string(size) + " of " +
                                          std::to_string(blob.size) + " bytes"});
    } else if (deep && host.digest(blob_path(blob.digest)) != blob.digest) {
      damaged.push_back({blob.digest, "its bytes are others than its digest says"});
    }
  }
  return damaged;
}

void ContainerdImages::drop_content(const std::vector<Digest>& digests) const {
  for (const Digest& digest : digests) {
    // It may be unknown by now: what counts is that the next import brings it.
    run_ctr(access_, {"content", "rm", digest.str()}, std::chrono::seconds(60));
    // containerd collects the file some time later, and an import before that takes it over.
    const auto path = access_.host.at(blob_path(digest));
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      throw_errno("remove " + path.string(), errno);
  }
}

void ContainerdImages::sync() const {
  const auto path = access_.host.at(access_.root);
  const UniqueFd folder = open_file(path, O_RDONLY | O_DIRECTORY);
  if (::syncfs(folder.get()) != 0) throw_errno("sync the disk of " + path.string(), errno);
}

}  // namespace kbundle
