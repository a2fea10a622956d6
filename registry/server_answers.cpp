#include "registry/server_answers.hpp"

#include <algorithm>

#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

using Kind = RegistryRoute::Kind;

const char* reason(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Internal Server Error";
  }
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

RegistryAnswer with_body(std::string type, std::string body) {
  RegistryAnswer answer;
  answer.headers.emplace_back("Content-Type", std::move(type));
  answer.length = body.size();
  answer.body = std::move(body);
  return answer;
}

std::string quoted(const Digest& digest) {
  return '"' + digest.str() + '"';
}

bool names_etag(std::string_view header, const Digest& digest) {
  return header == "*" || header.find(quoted(digest)) != std::string_view::npos;
}

RegistryAnswer not_modified(const Digest& digest) {
  RegistryAnswer answer;
  answer.status = 304;
  answer.headers.emplace_back("ETag", quoted(digest));
  return answer;
}

// The names after `last`, at most `limit`; `more` when some are left.
std::vector<std::string> page(const std::vector<std::string>& names, const RegistryRoute& route,
                              bool& more) {
  auto begin =
      route.last.empty() ? names.begin() : std::upper_bound(names.begin(), names.end(), route.last);
  const auto left = static_cast<std::size_t>(names.end() - begin);
  const std::size_t count = std::min(left, route.limit.value_or(left));
  more = count < left && count > 0;
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

RegistryAnswer list_answer(Json document, const char* key, const std::vector<std::string>& names,
                           const RegistryRoute& route, const std::string& path) {
  bool more = false;
  const auto shown = page(names, route, more);
  document[key] = shown;
  auto answer = with_body("application/json", dump(document));
  if (more)
    answer.headers.emplace_back("Link", "<" + path + "?last=" + percent_encode(shown.back()) +
                                            "&n=" + std::to_string(*route.limit) +
                                            ">; rel=\"next\"");
  return answer;
}

// One request, once it is known what it asks for.
class Answering {
 public:
  Answering(const RegistryContent& content, const RegistryRequest& request, RegistryRoute route)
      : content_(content), request_(request), route_(std::move(route)), name_(route_.repository) {
    // Two upstreams may have repositories of the same path: ns= says which is meant.
    if (route_.upstream.empty() || name_.empty()) return;
    std::string full = to_lower(route_.upstream) + "/" + name_;
    if (content_.tags(full)) name_ = std::move(full);
  }

  RegistryAnswer run() const {
    switch (route_.kind) {
      case Kind::base:
        return with_body("application/json", "{}");
      case Kind::manifest:
        return manifest();
      case Kind::blob:
        return blob();
      case Kind::tags:
        return tags();
      case Kind::referrers:
        return referrers();
      case Kind::catalog:
        break;
    }
    return list_answer(Json::object(), "repositories", content_.repositories(), route_,
                       "/v2/_catalog");
  }

 private:
  RegistryAnswer unknown(const char* code, const char* message) const {
    if (!content_.tags(name_))
      return answer_failure({404, "NAME_UNKNOWN", "there is no such repository", name_});
    return answer_failure({404, code, message, printable(route_.reference)});
  }

  RegistryAnswer manifest() const {
    auto found = content_.manifest(name_, route_.reference);
    if (!found) return unknown("MANIFEST_UNKNOWN", "there is no such manifest");
    if (names_etag(request_.if_none_match, found->digest)) return not_modified(found->digest);
    auto answer = with_body(found->media_type, std::move(found->bytes));
    answer.headers.emplace_back("Docker-Content-Digest", found->digest.str());
    answer.headers.emplace_back("ETag", quoted(found->digest));
    return answer;
  }

  RegistryAnswer blob() const {
    const auto size = content_.blob_size(name_, route_.digest);
    if (!size) return unknown("BLOB_UNKNOWN", "there is no such blob");
    if (names_etag(request_.if_none_match, route_.digest)) return not_modified(route_.digest);
    const bool send = request_.method == "GET";
    const bool whole =
        !send || (!request_.if_range.empty() && request_.if_range != quoted(route_.digest));
    const auto wanted = parse_range(whole ? "" : request_.range, *size);
    if (wanted.outcome == RangeRequest::Outcome::unsatisfiable) {
      auto answer = answer_failure({416, "SIZE_INVALID", "the blob ends before this range",
                                    printable(request_.range.substr(0, 100))});
      answer.headers.emplace_back("Content-Range", "bytes */" + std::to_string(*size));
      return answer;
    }
    RegistryAnswer answer;
    ByteRange range{0, *size};
    if (wanted.outcome == RangeRequest::Outcome::part) {
      range = wanted.range;
      answer.status = 206;
      answer.headers.emplace_back("Content-Range",
                                  "bytes " + std::to_string(range.offset) + "-" +
                                      std::to_string(range.offset + range.size - 1) + "/" +
                                      std::to_string(*size));
    }
    answer.headers.emplace_back("Content-Type", "application/octet-stream");
    answer.headers.emplace_back("Accept-Ranges", "bytes");
    answer.headers.emplace_back("Docker-Content-Digest", route_.digest.str());
    answer.headers.emplace_back("ETag", quoted(route_.digest));
    answer.length = range.size;
    if (send && range.size > 0)
      answer.blob = content_.open_blob(route_.digest, range.offset, range.size);
    return answer;
  }

  RegistryAnswer tags() const {
    const auto names = content_.tags(name_);
    if (!names) return unknown("NAME_UNKNOWN", "");
    return list_answer({{"name", route_.repository}}, "tags", *names, route_,
                       "/v2/" + route_.repository + "/tags/list");
  }

  RegistryAnswer referrers() const {
    if (!content_.tags(name_)) return unknown("NAME_UNKNOWN", "");
    Json manifests = Json::array();
    for (const Descriptor& one : content_.referrers(name_, route_.digest)) {
      if (!route_.artifact_type.empty() && one.artifact_type != route_.artifact_type) continue;
      Json entry = {
          {"mediaType", one.media_type}, {"digest", one.digest.str()}, {"size", one.size}};
      if (!one.artifact_type.empty()) entry["artifactType"] = one.artifact_type;
      if (!one.annotations.empty()) entry["annotations"] = one.annotations;
      manifests.push_back(std::move(entry));
    }
    const Json index = {{"schemaVersion", 2},
                        {"mediaType", media_type::oci_index},
                        {"manifests", std::move(manifests)}};
    auto answer = with_body(media_type::oci_index, dump(index));
    if (!route_.artifact_type.empty())
      answer.headers.emplace_back("OCI-Filters-Applied", "artifactType");
    return answer;
  }

  const RegistryContent& content_;
  const RegistryRequest& request_;
  RegistryRoute route_;
  std::string name_;
};

}  // namespace

std::string RegistryAnswer::head(bool keep_alive) const {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " " + reason(status) + "\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  if (status != 304) text += "Content-Length: " + std::to_string(length) + "\r\n";
  text += "Docker-Distribution-API-Version: registry/2.0\r\nX-Content-Type-Options: nosniff\r\n";
  text += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return text;
}

RegistryAnswer answer_failure(const RegistryFailure& failure) {
  Json error = {{"code", failure.code}, {"message", failure.message}};
  if (!failure.detail.empty()) error["detail"] = failure.detail;
  auto answer = with_body("application/json", dump({{"errors", Json::array({error})}}));
  answer.status = failure.status;
  if (failure.status == 405) answer.headers.emplace_back("Allow", "GET, HEAD");
  if (failure.status == 401)
    answer.headers.emplace_back("WWW-Authenticate", "Basic realm=\"kbundle\", charset=\"UTF-8\"");
  return answer;
}

RegistryAnswer answer_request(const RegistryContent& content, const RegistryRequest& request) {
  auto route = parse_route(request.method, request.target);
  if (const auto* failure = std::get_if<RegistryFailure>(&route)) return answer_failure(*failure);
  return Answering(content, request, std::get<RegistryRoute>(std::move(route))).run();
}

}  // namespace kbundle
