// The archive. libarchive cannot be linked into the static executable without a dozen libraries
// that the formats it does not write here would need; a ustar header and one zstd frame are enough.
#include <span>

#include "bundles/frames.hpp"
#include "bundles/ustar.hpp"
#include "core/file.hpp"
#include "installer/support/support_bundle.hpp"

namespace kbundle {
namespace {

constexpr mode_t kMode = 0600;
constexpr int kLevel = 3;
constexpr std::size_t kLongestName = 100;

// ustar's limit: of a longer name the end tells more.
std::string member_name(const std::string& root, const std::string& path) {
  const std::string name = root + "/" + path;
  if (name.size() <= kLongestName) return name;
  const std::string head = root + "/...";
  return head + path.substr(path.size() - (kLongestName - head.size()));
}

}  // namespace

void write_support_archive(const std::filesystem::path& file, const std::string& root,
                           const std::vector<SupportFile>& files) {
  std::string tar;
  for (const SupportFile& one : files) {
    const auto header = ustar_header(member_name(root, one.path), one.text.size());
    tar.append(header.data(), header.size());
    tar += one.text;
    tar.append(ustar_padding(one.text.size()), '\0');
  }
  tar.append(kUstarEndSize, '\0');
  write_file(file, compress_frame(std::as_bytes(std::span(tar)), kLevel), kMode);
}

}  // namespace kbundle
