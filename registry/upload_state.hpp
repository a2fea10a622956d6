// The address of an upload under way, kept on disk so that the next run goes on with it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/digest.hpp"
#include "core/lock.hpp"
#include "registry/reference.hpp"

namespace kbundle {

/// One blob's. A file {"location": "https://…"} of mode 0600, since whoever knows the address may
/// write to it. Nothing happens in an empty folder, or while another process has the same upload.
class UploadState {
 public:
  UploadState(const std::filesystem::path& folder, const Reference& repository,
              const Digest& digest);
  ~UploadState();
  UploadState(const UploadState&) = delete;
  UploadState& operator=(const UploadState&) = delete;

  /// What an earlier run left; nullopt when there is nothing usable.
  std::optional<std::string> load() const;
  void save(const std::string& location);
  /// The blob is done, or the address worth nothing any more.
  void forget();

 private:
  std::filesystem::path file_;  // empty: none is kept
  std::filesystem::path lock_file_;
  std::optional<ProcessLock> lock_;
};

}  // namespace kbundle
