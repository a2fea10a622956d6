#include "distribution/serve.hpp"

#include <fmt/core.h>

#include <charconv>
#include <map>
#include <mutex>

#include "bundles/reader.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "distribution/bundle_content.hpp"
#include "registry/hosts_toml.hpp"
#include "registry/reference.hpp"
#include "registry/server.hpp"

namespace kbundle {
namespace {

void check_options(const ServeOptions& options) {
  const bool has_tls = !options.tls_certificate.empty() || !options.tls_key.empty();
  if (options.plain_http && has_tls)
    throw Error(ExitCode::usage, "--plain-http and a certificate exclude each other",
                "leave one of them out");
  if (options.tls_certificate.empty() != options.tls_key.empty())
    throw Error(ExitCode::usage, "--tls-cert and --tls-key go together", "give both");
  if (!options.plain_http && !has_tls)
    throw Error(ExitCode::usage, "serving wants TLS, and there is no certificate",
                fmt::format("give --tls-cert FILE --tls-key FILE (PEM), or --plain-http to serve "
                            "{} without encryption",
                            options.listen));
}

void warn_of_plain_http(const ServeOptions& options, const ListenAddress& listen,
                        Progress& progress) {
  if (!options.plain_http) return;
  if (!listen.is_loopback())
    progress.warn("plain HTTP on " + options.listen +
                  ": whoever is on the way can change what is pulled by tag; use --tls-cert and "
                  "--tls-key");
  if (!options.password_file.empty())
    progress.warn("--auth over plain HTTP: passwords cross the network unencrypted");
}

// Clients cannot reach the address that stands for all of a host's.
std::string host_for_clients(const ListenAddress& listen, const std::string& bound) {
  if (listen.address != "0.0.0.0" && listen.address != "::") return bound;
  return "THIS_HOST" + bound.substr(bound.rfind(':'));
}

std::string repositories_table(const Bundle& bundle) {
  Table table({"IMAGE", "PLATFORMS", "DIGEST"});
  for (const ImageRecord& image : bundle.inventory().images) {
    std::vector<std::string> platforms;
    for (const auto& one : image.platforms) platforms.push_back(one.platform.str());
    for (const std::string& name : image.names)
      table.add({printable(name), join(platforms, ","),
                 image.digest.algorithm() + ":" + image.digest.short_hex()});
  }
  return table.str();
}

std::string how_to_pull(const ServeOptions& options, const Bundle& bundle,
                        const BundleContent& content, const std::string& host) {
  if (bundle.inventory().images.empty()) return {};
  const std::string& name = bundle.inventory().images.front().names.front();
  const Reference upstream = Reference::parse(name);
  const std::string path =
      upstream.repository() + (upstream.tag().empty() ? "" : ":") + upstream.tag();
  std::string text = "\nto pull from it:\n";
  text += fmt::format("  docker pull {}/{}\n", host, path);
  text += fmt::format("  ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d {}\n", name);
  std::string files;
  for (const std::string& one : content.upstreams()) {
    HostsToml toml;
    toml.upstream = one;
    toml.endpoints = {HostsToml::endpoint(host, "", options.plain_http)};
    files += fmt::format("\n{}:\n{}", toml.path(), toml.text());
  }
  text += "\non the nodes, for containerd and so for the kubelet:\n" + files;
  text += "\n/etc/containerd/config.toml:\n" + HostsToml::containerd_config();
  if (options.plain_http)
    text += fmt::format(
        "\nDocker needs {{\"insecure-registries\": [\"{}\"]}} in /etc/docker/daemon.json\n", host);
  else
    text += fmt::format(
        "\nif its certificate is from a private CA, the nodes need that: for containerd\n"
        "  ca = \"FILE\"  below each capabilities line, for Docker /etc/docker/certs.d/{}/ca.crt\n",
        host);
  return text + "\n";
}

// Counts and lines of what is served; called by several threads.
class Watcher {
 public:
  Watcher(Progress& progress, const std::function<void(std::string_view)>& print, bool log)
      : progress_(progress), print_(print), log_(log) {}

  void served(const ServerOptions::Served& one) {
    const std::lock_guard lock(mutex_);
    ++requests_;
    bytes_ += one.bytes;
    if (!log_) return;
    print_(fmt::format("{} {} {} {} {} {}\n", rfc3339(std::chrono::system_clock::now()), one.client,
                       printable(one.method), printable(one.target), one.status, one.bytes));
  }

  void damaged(const ServerOptions::Served& one, const Error& error) {
    const std::lock_guard lock(mutex_);
    ++damages_;
    std::string text = fmt::format("DAMAGED: {}; the answer to {} for {} was cut", error.message(),
                                   one.client, printable(one.target));
    for (const std::string& step : error.context()) text += ", while " + step;
    progress_.warn(text + "; stop serving this medium and copy the bundle again");
  }

  std::string summary() const {
    return fmt::format("stopped, as asked: {} requests answered, {} sent{}\n", requests_,
                       human_size(bytes_),
                       damages_ == 0 ? "" : fmt::format("; {} CUT FOR DAMAGE", damages_));
  }

 private:
  Progress& progress_;
  const std::function<void(std::string_view)>& print_;
  bool log_;
  std::mutex mutex_;
  std::uint64_t requests_ = 0, bytes_ = 0, damages_ = 0;
};

}  // namespace

ListenAddress ListenAddress::parse(std::string_view text) {
  const auto refuse = [&] {
    return Error(
        ExitCode::usage,
        fmt::format("--listen wants ADDRESS:PORT, found \"{}\"", printable(text.substr(0, 100))),
        "for example 10.0.0.1:5000, 0.0.0.0:5000 or [::]:5000");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) throw refuse();
  std::string_view address = text.substr(0, colon);
  if (address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
    if (address.find(':') == std::string_view::npos) throw refuse();
  } else if (address.find(':') != std::string_view::npos) {
    throw refuse();
  }
  ListenAddress parsed{std::string(address), 0};
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), parsed.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) throw refuse();
  return parsed;
}

bool ListenAddress::is_loopback() const {
  return address.starts_with("127.") || address == "::1";
}

void serve(const ServeOptions& options, Progress& progress,
           const std::function<void(std::string_view)>& print) {
  const auto listen = ListenAddress::parse(options.listen);
  check_options(options);
  const auto bundle = Bundle::open(options.bundle, TrustStore::standard(), options.trust);
  Watcher watcher(progress, print, options.access_log);
  ServerOptions server_options;
  server_options.address = listen.address;
  server_options.port = listen.port;
  server_options.tls_certificate = options.tls_certificate;
  server_options.tls_key = options.tls_key;
  server_options.password_file = options.password_file;
  server_options.on_request = [&](const auto& one) { watcher.served(one); };
  server_options.on_damage = [&](const auto& one, const Error& error) {
    watcher.damaged(one, error);
  };
  const BundleContent content(bundle);
  // It listens before the bundle is read through: a port that is taken is told at once. Clients
  // wait.
  RegistryServer server(content, server_options);
  warn_of_plain_http(options, listen, progress);
  bundle.verify(progress);
  const std::string host = host_for_clients(listen, server.address());
  print(fmt::format("serving {}, every byte verified\n  id      {}\n  at      {}://{}\n\n{}{}",
                    printable(options.bundle.string()), bundle.id(),
                    options.plain_http ? "http" : "https", server.address(),
                    repositories_table(bundle), how_to_pull(options, bundle, content, host)));
  print("Ctrl-C stops it\n");
  server.run();
  print(watcher.summary());
}

}  // namespace kbundle
