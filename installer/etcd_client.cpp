#include "installer/etcd_client.hpp"

#include <curl/curl.h>
#include <fmt/core.h>

#include <charconv>
#include <cstring>
#include <memory>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/network.hpp"

namespace kbundle {
namespace {

struct FreeCurl {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using CurlList = std::unique_ptr<curl_slist, FreeCurl>;

constexpr long kConnectMilliseconds = 5000;
constexpr long kAnswerMilliseconds = 15000;
constexpr std::size_t kMostBytes = 1U << 20U;

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  std::string result = text;
  curl_free(text);
  return result;
}

// For CURLOPT_RESOLVE. A name is asked of the host's own resolver: this program may be linked
// statically. nullptr for an address.
CurlList resolve(const Host& host, const EtcdEndpoint& endpoint) {
  if (is_ip_address(endpoint.host)) return nullptr;
  const auto answer =
      host.run({.argv = {"getent", "ahosts", endpoint.host}, .timeout = std::chrono::seconds(10)});
  const std::string address = split(split(answer.output, '\n').at(0), ' ').at(0);
  if (!answer.ok() || !is_ip_address(address))
    throw Error(ExitCode::phase, "the name " + printable(endpoint.host) + " does not resolve");
  return CurlList(curl_slist_append(
      nullptr, fmt::format("{}:{}:{}", endpoint.host, endpoint.port, address).c_str()));
}

std::size_t take(char* bytes, std::size_t one, std::size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + one * count > kMostBytes) return 0;
  body.append(bytes, one * count);
  return one * count;
}

}  // namespace

EtcdCredentials EtcdCredentials::of_kubeadm() {
  const std::string folder = "/etc/kubernetes/pki/etcd/";
  return {folder + "ca.crt", folder + "healthcheck-client.crt", folder + "healthcheck-client.key"};
}

EtcdEndpoint EtcdEndpoint::parse(const std::string& url) {
  const std::unique_ptr<CURLU, FreeCurl> handle(curl_url());
  EtcdEndpoint endpoint;
  if (url.find_first_of(" \t\n") == std::string::npos &&
      curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK) {
    const std::string scheme = part(handle.get(), CURLUPART_SCHEME);
    const std::string port = part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    const bool plain = part(handle.get(), CURLUPART_PATH) == "/" &&
                       part(handle.get(), CURLUPART_QUERY).empty() &&
                       part(handle.get(), CURLUPART_FRAGMENT).empty() &&
                       part(handle.get(), CURLUPART_USER).empty();
    endpoint.tls = scheme == "https";
    if (plain && (endpoint.tls || scheme == "http"))
      endpoint.host = part(handle.get(), CURLUPART_HOST);
    std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  }
  if (endpoint.host.empty() || endpoint.port < 1)
    throw Error(ExitCode::usage,
                "\"" + printable(url) + "\" is no endpoint of etcd: wanted https://HOST:PORT");
  if (endpoint.host.starts_with('['))
    endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
  return endpoint;
}

EtcdAnswer EtcdClient::get(const std::string& url, const std::string& path) const {
  return ask(url, path, nullptr);
}

EtcdAnswer EtcdClient::post(const std::string& url, const std::string& path,
                            const std::string& json) const {
  return ask(url, path, &json);
}

EtcdAnswer EtcdClient::ask(const std::string& url, const std::string& path,
                           const std::string* json) const {
  try {
    return exchange(url, path, json);
  } catch (const Error& error) {
    if (error.code() == ExitCode::interrupted) throw;
    return {0, {}, error.message()};
  }
}

EtcdAnswer EtcdClient::exchange(const std::string& url, const std::string& path,
                                const std::string* json) const {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, FreeCurl> handle(ready == CURLE_OK ? curl_easy_init() : nullptr);
  if (!handle) throw Error(ExitCode::internal, "libcurl does not start");
  CURL* curl = handle.get();
  EtcdAnswer answer;
  const auto resolved = resolve(host_, EtcdEndpoint::parse(url));
  curl_easy_setopt(curl, CURLOPT_RESOLVE, resolved.get());
  char why[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
  std::string base = url;
  while (base.ends_with('/')) base.pop_back();
  curl_easy_setopt(curl, CURLOPT_URL, (base + path).c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, kAnswerMilliseconds);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  const auto file = [&](CURLoption option, const std::string& path_on_node) {
    if (!path_on_node.empty()) curl_easy_setopt(curl, option, host_.at(path_on_node).c_str());
  };
  file(CURLOPT_CAINFO, credentials_.ca_file);
  file(CURLOPT_SSLCERT, credentials_.cert_file);
  file(CURLOPT_SSLKEY, credentials_.key_file);
  CurlList headers;
  if (json != nullptr) {
    headers.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json->c_str());
  }
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  if (const CURLcode code = curl_easy_perform(curl); code != CURLE_OK) {
    long number = 0;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
    if (code == CURLE_COULDNT_CONNECT && number != 0)
      return {0, {}, std::strerror(static_cast<int>(number))};
    return {0, {}, why[0] != '\0' ? why : curl_easy_strerror(code)};
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

}  // namespace kbundle
