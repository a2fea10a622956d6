// Blobs into containerd's content store as files, not through its intake, which copies each byte
// three times and hashes it twice: the file is put where the store keeps it, and `ctr content
// ingest` then finds all of it there and records it.
#pragma once

#include <cstdint>
#include <string>

#include "core/file.hpp"
#include "core/stream.hpp"
#include "installer/runtimes/containerd_images.hpp"

namespace kbundle {

/// Why IncomingBlob cannot be used here; empty when it can.
std::string unfit_for_incoming_blobs(const ContainerdAccess& access);

class IncomingBlob final : public Sink {
 public:
  /// The file has no name until record(): nothing stays behind when kbundle is killed.
  IncomingBlob(const ContainerdAccess& access, Digest digest, std::uint64_t size);
  using Sink::write;
  void write(std::span<const std::byte> bytes) override;
  /// What was written has the digest: the caller made sure. An image that names the blob is
  /// recorded already, or containerd's collector may take it away. Error{phase} when containerd
  /// does not take it, Error{verification} when not all bytes were written.
  void record();

 private:
  void publish();

  const ContainerdAccess& access_;
  Digest digest_;
  std::uint64_t size_, written_ = 0;
  UniqueFd folder_, file_;
};

}  // namespace kbundle
