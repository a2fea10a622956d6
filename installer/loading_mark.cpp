#include "installer/loading_mark.hpp"

#include <unistd.h>

#include <cerrno>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"

namespace kbundle {
namespace {

std::string boot_id(const Host& host) {
  return std::string(trim(host.read("/proc/sys/kernel/random/boot_id").value_or("")));
}

}  // namespace

std::optional<LoadingMark> read_loading_mark(const Host& host) {
  const auto text = host.read(node_path::image_loading);
  if (!text) return {};
  LoadingMark mark;
  try {
    const Json json = parse_json(*text, node_path::image_loading);
    for (const Json& name : json_array(json, "names", node_path::image_loading))
      mark.names.insert(name.get<std::string>());
    mark.fast = json.value("fast", false);
    mark.other_boot = json_string(json, "boot", node_path::image_loading) != boot_id(host);
  } catch (const std::exception&) {
    return LoadingMark{};  // written by no kbundle: atomic files are whole
  }
  return mark;
}

void write_loading_mark(const Host& host, const LoadingMark& mark) {
  const Json json = {{"boot", boot_id(host)}, {"names", mark.names}, {"fast", mark.fast}};
  // Not Host::write(): it is no part of what an undo would bring back.
  const auto path = host.at(node_path::image_loading);
  make_folders(path.parent_path());
  write_file(path, json.dump(2) + "\n");
}

void remove_loading_mark(const Host& host) {
  host.remove(node_path::image_loading);
}

}  // namespace kbundle
