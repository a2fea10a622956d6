#include "bundles/sums.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

Digest hash_file(const std::filesystem::path& path) {
  auto source = FdSource::open(path);
  Hasher hasher;
  std::vector<std::byte> buffer(kCopyBufferSize);
  while (const auto count = source.read(buffer)) {
    throw_if_interrupted();
    hasher.update(std::span<const std::byte>(buffer.data(), count));
  }
  return hasher.finish();
}

}  // namespace

std::string sums_text(std::vector<FileSum> sums) {
  std::sort(sums.begin(), sums.end(),
            [](const FileSum& a, const FileSum& b) { return a.name < b.name; });
  std::string text;
  for (const auto& sum : sums) {
    const bool plain = !sum.name.empty() && printable(sum.name) == sum.name &&
                       sum.name.find_first_of("\\/") == std::string::npos;
    if (!plain || sum.digest.algorithm() != "sha256") {
      throw Error(ExitCode::usage, "no line in SHA256SUMS can name " + printable(sum.name),
                  "give the file a plain name");
    }
    text += sum.digest.hex() + "  " + sum.name + "\n";
  }
  return text;
}

void write_sums(const std::filesystem::path& folder, const std::vector<std::string>& names,
                const PrivateKey& key) {
  std::vector<FileSum> sums;
  sums.reserve(names.size());
  for (const auto& name : names) sums.push_back({name, hash_file(folder / name)});
  const std::string text = sums_text(std::move(sums));
  std::filesystem::remove(folder / kSumsSignatureFile);
  write_file(folder / kSumsFile, text);
  write_file(folder / kSumsSignatureFile, key.sign(text));
}

}  // namespace kbundle
