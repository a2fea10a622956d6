// `kbundle support-bundle`: one archive of what people need who help from afar, without secrets.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "core/progress.hpp"
#include "installer/host.hpp"

namespace kbundle {

struct SupportFile {
  std::string path;  ///< in the archive, relative
  std::string text;
};

/// What must not leave the node, as its own files have it: tokens, the certificate key, the lines
/// of private keys (and their base64 in kubeconfigs).
std::vector<std::string> node_secrets(const Host& host);

/// State, journals, logs, configurations, network; every text redacted. What cannot be had is
/// replaced by the reason.
std::vector<SupportFile> collect_support(Host& host, Progress& progress);

/// A ustar archive in zstd, mode 0600, below one folder `root`. Built in memory: some 20 MB.
void write_support_archive(const std::filesystem::path& file, const std::string& root,
                           const std::vector<SupportFile>& files);

/// Writes `output`, or kbundle-support-NODE-TIME.tar.zst in the current folder; prints its name.
void support_bundle(const std::filesystem::path& output, Progress& progress, std::ostream& out);

}  // namespace kbundle
