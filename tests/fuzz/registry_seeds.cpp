// fuzz-registry-seeds FOLDER: a first corpus for the registry's fuzz targets, one folder each.
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/file.hpp"
#include "registry/types.hpp"

using namespace kbundle;

namespace {

std::string descriptor(const std::string& type, const std::string& more = "") {
  return R"({"mediaType":")" + type + R"(","digest":")" + sha256(type).str() + R"(","size":7)" +
         more + "}";
}

std::string manifest(const std::string& type) {
  return R"({"schemaVersion":2,"mediaType":")" + type + R"(","config":)" +
         descriptor("application/vnd.oci.image.config.v1+json") + R"(,"layers":[)" +
         descriptor("application/vnd.oci.image.layer.v1.tar+gzip") + R"(],"subject":)" +
         descriptor(media_type::oci_manifest, R"(,"annotations":{"a":"b"})") + "}";
}

std::string list(const std::string& type, const std::string& entry) {
  return R"({"schemaVersion":2,"mediaType":")" + type + R"(","manifests":[)" +
         descriptor(entry, R"(,"platform":{"os":"linux","architecture":"arm","variant":"v7"})") +
         "," + descriptor(entry, R"(,"platform":{"os":"linux","architecture":"amd64"})") + "]}";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz-registry-seeds FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const std::string digest = sha256("").str();
  const std::map<std::string, std::vector<std::string>> seeds = {
      {"reference",
       {"busybox", "registry.k8s.io/coredns/coredns:v1.12.1", "[::1]:5000/a/b_c__d--e.f@" + digest,
        "localhost:5000/x:y@" + digest}},
      {"manifest",
       {std::string(1, '\0') + manifest(media_type::oci_manifest),
        std::string(1, '\2') + manifest(media_type::docker_manifest),
        std::string(1, '\1') + list(media_type::oci_index, media_type::oci_manifest),
        std::string(1, '\3') + list(media_type::docker_list, media_type::docker_manifest)}},
      {"challenge",
       {R"(Bearer realm="https://auth.example/token",service="registry",scope="a:b:pull")",
        "Basic realm=x, Bearer realm=\"a\\\"b\"\nNegotiate\nDigest a=b,c=\"d,e\""}},
      {"content_range",
       {"bytes 5-9/10", "bytes 0-0/*", "18446744073709551615", "120",
        "Wed, 21 Oct 2026 07:28:00 GMT"}},
      {"url",
       {"https://registry.example:5000/v2/a/blobs/x?y=z\n/v2/other?signature=1",
        "http://user:secret@[::1]:80/a/../b#c\nhttps://u:p@cdn.example/x", "https://h\n//other/"}},
      {"mirrors",
       {"k8s.gcr.io=mirror.example/k8s\nk8s.gcr.io/pause:3.2\nhttps://k8s.gcr.io/x",
        "k8s.gcr.io=mirror.example/flat/*\nk8s.gcr.io/coredns/coredns@" + digest + "\n",
        "docker.io=m.example/{ref}\nbusybox\n",
        "dl.k8s.io=https://f.example/x\na\nhttps://dl.k8s.io/y"}},
      {"server_route",
       {"GET\n/v2/\n", "HEAD\n/v2/a/b/manifests/v1\nbytes=0-9\n\1\1",
        "GET\n/v2/a/blobs/" + digest + "?ns=k8s.gcr.io\nbytes=-5\n\7",
        "GET\n/v2/a/tags/list?n=5&last=x%2Fy\nbytes=5-\n\7",
        "GET\n/v2/a/referrers/" + digest + "?artifactType=a%2Bb\n", "GET\n/v2/_catalog?n=1\n"}},
  };
  for (const auto& [target, inputs] : seeds) {
    make_folders(folder / target);
    int number = 0;
    for (const auto& input : inputs) write_file(folder / target / std::to_string(number++), input);
  }
  return 0;
}
