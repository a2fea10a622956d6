#include "installer/bin_dir.hpp"

#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "core/process.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/receipt.hpp"

namespace kbundle {
namespace {

constexpr std::string_view kStart = "ExecStart=/usr/";

bool usable(const std::string& folder) {
  return folder.size() > 1 && folder.front() == '/' && folder.back() != '/' &&
         folder.find("/.") == std::string::npos &&
         std::all_of(folder.begin(), folder.end(), [](char c) {
           // It stands in unit files and in a PATH.
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '/' || c == '-' || c == '_' || c == '.';
         });
}

}  // namespace

std::string chosen_bin_dir(const Host& host, const InstallOptions& options) {
  if (!options.bin_dir.empty()) return options.bin_dir;
  if (const auto receipt = Receipt::read(host)) return receipt->bin_dir;
  return {};
}

std::string relocated(const std::string& path, const std::string& bin_dir) {
  if (bin_dir.empty() || !path.starts_with("/usr/")) return path;
  return bin_dir + "/" + std::filesystem::path(path).filename().string();
}

Inventory relocated(Inventory inventory, const std::string& bin_dir) {
  if (bin_dir.empty()) return inventory;
  if (!usable(bin_dir))
    throw Error(ExitCode::usage,
                "--bin-dir must be an absolute path of letters, digits, -, _ and ., not \"" +
                    printable(bin_dir) + "\"",
                "for example --bin-dir /opt/bin");
  for (FileRecord& file : inventory.files) file.path = relocated(file.path, bin_dir);
  return inventory;
}

std::string relocated_unit(std::string_view text, const std::string& bin_dir) {
  if (bin_dir.empty()) return std::string(text);
  std::string result;
  for (const std::string& line : split(text, '\n')) {
    if (!line.starts_with(kStart)) {
      result += line + "\n";
      continue;
    }
    const auto end = std::min(line.find(' '), line.size());
    const auto begin = std::string_view("ExecStart=").size();
    // containerd finds its shims and runc by the PATH.
    result += "Environment=PATH=" + bin_dir + ":" + kChildPath + "\n";
    result += "ExecStart=" + relocated(line.substr(begin, end - begin), bin_dir) +
              line.substr(end) + "\n";
  }
  if (!result.empty()) result.pop_back();
  return result;
}

}  // namespace kbundle
