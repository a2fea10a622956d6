// `kbundle serve`: a bundle as a read-only registry.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "bundles/trust.hpp"
#include "core/progress.hpp"

namespace kbundle {

struct ServeOptions {
  std::filesystem::path bundle;
  TrustOptions trust;
  std::string listen;       ///< "0.0.0.0:5000", "[::]:5000"
  bool plain_http = false;  ///< without it, certificate and key are demanded
  std::filesystem::path tls_certificate, tls_key;
  std::filesystem::path password_file;  ///< htpasswd; empty: everybody may pull
  bool access_log = false;              ///< a line for each answer
};

struct ListenAddress {
  std::string address;  ///< without brackets
  std::uint16_t port = 0;
  /// "127.0.0.1:5000" or "[::1]:5000"; Error{usage} for anything else.
  static ListenAddress parse(std::string_view text);
  bool is_loopback() const;
};

/// Verifies the whole bundle, then serves it until a stop is asked for. `print` gets what belongs
/// on standard output: address, repositories, how to pull, the access log; it may be called by
/// several threads, one at a time. Damage that shows while serving goes to `progress` as warnings.
void serve(const ServeOptions& options, Progress& progress,
           const std::function<void(std::string_view)>& print);

}  // namespace kbundle
