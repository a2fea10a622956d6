#include "installer/session.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

std::vector<std::filesystem::path> bundles_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error))
    if (it->path().filename().string().ends_with(".tar.zst")) found.push_back(it->path());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::filesystem::path find_bundle(const std::filesystem::path& given, const std::string& usage) {
  if (!given.empty()) return given;
  std::error_code error;
  auto found = bundles_in(std::filesystem::current_path());
  const auto executable = std::filesystem::read_symlink("/proc/self/exe", error);
  if (found.empty() && !error) found = bundles_in(executable.parent_path());
  if (found.size() == 1) return found.front();
  std::vector<std::string> names;
  for (const auto& path : found) names.push_back(path.filename().string());
  throw Error(ExitCode::usage,
              found.empty() ? "there is no bundle (*.tar.zst) in this folder or beside kbundle"
                            : "there are several bundles: " + join(names, ", "),
              "name the bundle: " + usage);
}

namespace {

Bundle open_bundle(const InstallOptions& options, Progress& progress, bool whole) {
  Bundle bundle = Bundle::open(find_bundle(options.bundle, "kbundle install --role … BUNDLE"),
                               TrustStore::standard(), options.trust);
  if (whole) bundle.verify(progress);
  return bundle;
}

// An ordinary user may not look into it; a plan can be made without.
Journal look(const Host& host) {
  try {
    return Journal::look(host.at(node_path::journal));
  } catch (const Error&) {
    if (host.is_root()) throw;
    return Journal::look("/nonexistent/kbundle-journal");
  }
}

}  // namespace

std::optional<CniFacts> cni_of(const Context& context) {
  const std::string name = split(context.inventory.cni, ' ').at(0);
  if (name == "none" || name == "file" || name.empty()) return std::nullopt;
  return Catalog::builtin().cni(context.facts, name, context.host.platform().architecture);
}

Session::Session(const InstallOptions& options, Progress& progress, bool whole_bundle)
    : host(options.root, options.keep_proxy),
      bundle(open_bundle(options, progress, whole_bundle)),
      inventory(relocated(bundle.inventory(), chosen_bin_dir(host, options))),
      context(options, inventory, &bundle, Catalog::builtin().facts(inventory.kubernetes_version),
              host, progress),
      journal(look(host)) {
  context.cni = cni_of(context);
  context.journal = &journal;
  context.bin_dir = chosen_bin_dir(host, options);
  host.set_bin_dir(context.bin_dir);
  resolve_context(context);
}

}  // namespace kbundle
