#include "registry/upload_state.hpp"

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/json.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kLargestState = 64 * 1024;

}  // namespace

UploadState::UploadState(const std::filesystem::path& folder, const Reference& repository,
                         const Digest& digest) {
  if (folder.empty()) return;
  const std::string name = sha256(repository.name() + "/" + digest.str()).hex();
  make_folders(folder, 0700);
  try {
    lock_.emplace(folder / (name + ".lock"));
    lock_file_ = folder / (name + ".lock");
  } catch (const Error& error) {
    if (error.code() != ExitCode::busy) throw;
    return;  // two runs push the same: each has an upload of its own
  }
  file_ = folder / (name + ".json");
}

UploadState::~UploadState() {
  std::error_code ignored;
  if (!lock_file_.empty()) std::filesystem::remove(lock_file_, ignored);
}

std::optional<std::string> UploadState::load() const {
  if (file_.empty()) return std::nullopt;
  try {
    const auto text = read_file_if_exists(file_, kLargestState);
    if (!text) return std::nullopt;
    return json_string(parse_json(*text, file_.string()), "location", file_.string());
  } catch (const Error&) {
    return std::nullopt;  // it only would have saved work
  }
}

void UploadState::save(const std::string& location) {
  if (!file_.empty()) write_file(file_, canonical_json({{"location", location}}), 0600);
}

void UploadState::forget() {
  std::error_code ignored;
  if (!file_.empty()) std::filesystem::remove(file_, ignored);
}

}  // namespace kbundle
