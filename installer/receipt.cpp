#include "installer/receipt.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/error.hpp"
#include "installer/context.hpp"

namespace kbundle {
namespace {

constexpr int kFormat = 1;

unsigned octal(const std::string& text) {
  unsigned mode = 0;
  std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  return mode;
}

}  // namespace

Json Receipt::to_json() const {
  Json file_list = Json::array();
  for (const File& file : files)
    file_list.push_back({{"path", file.path},
                         {"digest", file.digest.str()},
                         {"component", file.component},
                         {"version", file.version},
                         {"mode", fmt::format("{:04o}", file.mode)}});
  Json image_list = Json::array();
  for (const Image& image : images) {
    Json blobs = Json::object();
    for (const auto& [digest, size] : image.blobs) blobs[digest.str()] = size;
    image_list.push_back({{"names", image.names},
                          {"digest", image.digest.str()},
                          {"config", image.config.str()},
                          {"blobs", blobs}});
  }
  Json json = {{"format", kFormat},
               {"bundle", bundle},
               {"line", line},
               {"serial", serial},
               {"kubernetes_version", kubernetes_version},
               {"kbundle_version", kbundle_version},
               {"cni", cni},
               {"role", role},
               {"node_name", node_name},
               {"node_ip", node_ip},
               {"api_endpoint", api_endpoint},
               {"image_repository", image_repository},
               {"pod_subnet", pod_subnet},
               {"service_subnet", service_subnet},
               {"runtime",
                {{"name", runtime},
                 {"version", runtime_version},
                 {"socket", cri_socket},
                 {"from_bundle", runtime_from_bundle}}},
               {"bin_dir", bin_dir},
               {"resolver", {{"path", resolver}, {"digest", resolver_digest}}},
               {"files", file_list},
               {"images", image_list}};
  if (!vip.empty()) json["vip"] = vip;
  if (external_etcd) json["external_etcd"] = true;
  if (!installed.empty()) json["installed"] = installed;
  return json;
}

Receipt Receipt::parse(std::string_view text, const std::string& what) {
  const Json json = parse_json(text, what);
  try {
    if (json.at("format") != Json(kFormat))
      throw Error(ExitCode::verification, what + " has format " + json.at("format").dump() +
                                              ", this kbundle reads " + std::to_string(kFormat));
    Receipt receipt;
    receipt.bundle = json.at("bundle");
    receipt.line = json.at("line");
    receipt.serial = json.at("serial");
    receipt.kubernetes_version = json.at("kubernetes_version");
    receipt.kbundle_version = json.at("kbundle_version");
    receipt.cni = json.at("cni");
    receipt.role = json.at("role");
    receipt.node_name = json.at("node_name");
    receipt.node_ip = json.at("node_ip");
    receipt.api_endpoint = json.value("api_endpoint", "");
    receipt.vip = json.value("vip", "");
    receipt.external_etcd = json.value("external_etcd", false);
    receipt.image_repository = json.value("image_repository", "");
    receipt.pod_subnet = json.value("pod_subnet", "");
    receipt.service_subnet = json.value("service_subnet", "");
    receipt.bin_dir = json.value("bin_dir", "");
    const Json& runtime = json.at("runtime");
    receipt.runtime = runtime.at("name");
    receipt.runtime_version = runtime.at("version");
    receipt.cri_socket = runtime.value("socket", "");
    receipt.runtime_from_bundle = runtime.at("from_bundle");
    const Json resolver = json.value("resolver", Json::object());
    receipt.resolver = resolver.value("path", "");
    receipt.resolver_digest = resolver.value("digest", "");
    for (const Json& file : json.at("files"))
      receipt.files.push_back({file.at("path"), Digest::parse(file.at("digest").get<std::string>()),
                               file.at("component"), file.at("version"),
                               octal(file.value("mode", ""))});
    for (const Json& image : json.at("images")) {
      Image record{image.at("names").get<std::vector<std::string>>(),
                   Digest::parse(image.at("digest").get<std::string>()),
                   {},
                   {}};
      if (const std::string config = image.value("config", ""); !config.empty())
        record.config = Digest::parse(config);
      const Json blobs = image.value("blobs", Json::object());
      for (const auto& [digest, size] : blobs.items())
        record.blobs.emplace_back(Digest::parse(digest), size.get<std::uint64_t>());
      receipt.images.push_back(std::move(record));
    }
    receipt.installed = json.value("installed", "");
    return receipt;
  } catch (const Json::exception& error) {
    throw Error(ExitCode::verification, what + " is no receipt: " + error.what());
  }
}

std::optional<Receipt> Receipt::read(const Host& host) {
  const auto text = host.read(node_path::receipt);
  if (!text) return std::nullopt;
  try {
    return parse(*text, node_path::receipt);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace kbundle
