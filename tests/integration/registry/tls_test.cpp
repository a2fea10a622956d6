// Which servers are trusted.
#include <catch2/catch.hpp>

#include "servers.hpp"

using namespace kbundle;
using namespace kbundle::test;
using Catch::Contains;

namespace {

TransportOptions with_ca(const std::string& file) {
  TransportOptions options = options_for({});
  options.ca_file = file;
  return options;
}

}  // namespace

TEST_CASE("an unknown CA: exit 5 at once, with the hint; with its certificate it works") {
  const Certificate certificate;
  const DockerRegistry registry(
      {.password = false, .certificate = certificate.certificate, .key = certificate.key});
  const Reference absent = Reference::parse(registry.host() + "/a:b");

  const Error error = error_of([&] { (void)RegistryClient(options_for({})).manifest(absent); });
  CHECK(error.code() == ExitCode::network);
  CHECK_THAT(error.hint(), Contains("--ca"));
  CHECK(error.context().size() == 1);  // nothing of "tried 5 times"

  CHECK_FALSE(RegistryClient(with_ca(certificate.certificate)).manifest(absent));
}

TEST_CASE("a registry that asks for a client's certificate") {
  const Certificate server;
  const Certificate client;
  const DockerRegistry registry({.password = false,
                                 .certificate = server.certificate,
                                 .key = server.key,
                                 .client_ca = client.certificate});
  const Reference absent = Reference::parse(registry.host() + "/a:b");
  TransportOptions options = with_ca(server.certificate);
  CHECK(error_of([&] { (void)RegistryClient(options).manifest(absent); }).code() ==
        ExitCode::network);
  options.client_certificate = client.certificate;
  options.client_key = client.key;
  CHECK_FALSE(RegistryClient(options).manifest(absent));
}

TEST_CASE("a certificate for another name, and an expired one") {
  const Certificate expired(-1);
  const BadServer server("x", {"--tls", expired.certificate, expired.key});
  const Error error = error_of([&] {
    (void)RegistryClient(with_ca(expired.certificate)).file("https://" + server.host() + "/", 10);
  });
  CHECK(error.code() == ExitCode::network);
  CHECK_THAT(error.message(), Contains("expired"));
  CHECK_THAT(error.hint(), Contains("clock"));

  const Certificate good;
  const BadServer other("x", {"--tls", good.certificate, good.key});
  const std::string port = other.host().substr(other.host().find(':'));
  const Error name = error_of([&] {
    (void)RegistryClient(with_ca(good.certificate)).file("https://127.0.0.2" + port + "/", 10);
  });
  CHECK(name.code() == ExitCode::network);
}

TEST_CASE("https is never redirected to http") {
  const Certificate certificate;
  const BadServer plain("x");
  const BadServer server(
      "x", {"--tls", certificate.certificate, certificate.key, "--other", plain.url()});
  const Error error = error_of([&] {
    (void)RegistryClient(with_ca(certificate.certificate))
        .file("https://" + server.host() + "/v2/downgrades/x", 10);
  });
  CHECK(error.code() == ExitCode::network);
  CHECK_THAT(error.message(), Contains("plain HTTP"));
  CHECK(plain.log() == std::vector<std::string>{""});
}

TEST_CASE("plain HTTP where TLS was expected") {
  const BadServer server("x");
  const Error error = error_of([&] {
    (void)RegistryClient(options_for({})).file("https://" + server.host() + "/v2/good/x", 10);
  });
  CHECK(error.code() == ExitCode::network);
  CHECK_THAT(error.hint(), Contains("--plain-http"));
}

TEST_CASE("a CA file that is none") {
  const Folder folder;
  write(folder.path / "ca.pem", "not a certificate");
  CHECK(error_of([&] { RegistryClient client(with_ca(folder.path / "ca.pem")); }).code() ==
        ExitCode::usage);
  CHECK(error_of([&] { RegistryClient client(with_ca(folder.path / "absent")); }).code() ==
        ExitCode::usage);
}
