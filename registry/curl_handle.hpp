// RAII over libcurl's easy handles, and a pool of them: a handle keeps its connections.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace kbundle {

struct FreeCurl {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, FreeCurl>;

/// A header list for CURLOPT_HTTPHEADER.
class CurlHeaders {
 public:
  void add(const std::string& line);
  curl_slist* get() const { return list_.get(); }

 private:
  std::unique_ptr<curl_slist, FreeCurl> list_;
};

/// Thread-safe. The first one initialises libcurl.
class CurlPool {
 public:
  CurlPool();
  CurlHandle take();  ///< without options, but with its old connections
  void give(CurlHandle handle);

 private:
  std::mutex mutex_;
  std::vector<CurlHandle> idle_;
};

}  // namespace kbundle
