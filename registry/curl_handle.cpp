#include "registry/curl_handle.hpp"

#include "core/error.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kMostIdle = 16;

void initialise_once() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK)
    throw Error(ExitCode::internal,
                std::string("libcurl cannot be initialised: ") + curl_easy_strerror(result));
}

}  // namespace

void CurlHeaders::add(const std::string& line) {
  // A line break would start another header.
  if (line.find_first_of("\r\n") != std::string::npos)
    throw Error(ExitCode::network, "a request header would contain a line break");
  curl_slist* longer = curl_slist_append(list_.get(), line.c_str());
  if (longer == nullptr) throw Error(ExitCode::internal, "there is not enough memory");
  list_.release();
  list_.reset(longer);
}

CurlPool::CurlPool() {
  initialise_once();
}

CurlHandle CurlPool::take() {
  const std::lock_guard lock(mutex_);
  if (!idle_.empty()) {
    CurlHandle handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
  }
  CurlHandle handle(curl_easy_init());
  if (!handle) throw Error(ExitCode::internal, "libcurl gives no handle");
  return handle;
}

void CurlPool::give(CurlHandle handle) {
  // It still points at its last user's buffers; its connections stay.
  curl_easy_reset(handle.get());
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(handle));
}

}  // namespace kbundle
