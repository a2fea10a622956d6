// No secret leaves the node in a support bundle.
#include "installer/support/redact.hpp"

#include <catch2/catch.hpp>

#include "core/text.hpp"
#include "installer/support/support_bundle.hpp"
#include "tests/unit/installer/credentials.hpp"
#include "tests/unit/installer/temp_root.hpp"

using namespace kbundle;

TEST_CASE("values behind a secret's name go, whatever the notation") {
  CHECK(redact("  token: abc-def\n") == "  token: [redacted]\n");
  CHECK(redact("certificateKey: \"00ff\"") == "certificateKey: \"[redacted]\"");
  CHECK(redact(R"({"token":"s3cret","name":"x"})") == R"({"token":"[redacted]","name":"x"})");
  CHECK(redact("kubeadm join --token s3cret --v=5") == "kubeadm join --token [redacted] --v=5");
  CHECK(redact("kubeadm join --token=s3cret") == "kubeadm join --token=[redacted]");
  CHECK(redact("password = \"hunter2\"") == "password = \"[redacted]\"");
  CHECK(redact("Authorization: Bearer q1w2e3") == "Authorization: Bearer [redacted]");
  CHECK(redact("    client-key-data: TFMwdExTMUNSVWRK\n    x: y") ==
        "    client-key-data: [redacted]\n    x: y");
  CHECK(redact("tlsBootstrapToken: abcdef.0123456789abcdef") == "tlsBootstrapToken: [redacted]");
}

TEST_CASE("what was taken out once is left alone") {
  const std::string once = redact("token: \"abc-def-ghi\"", {"abc-def-ghi"});
  CHECK(once == "token: \"[redacted]\"");
  CHECK(redact(once) == once);
}

TEST_CASE("what is no secret stays as it is") {
  for (const std::string text :
       {"--discovery-token-ca-cert-hash sha256:0123", "tokens: 3", "the token expired",
        "token:", "client-certificate-data: TFMw", "host.0123456789abcdef.example", "eyJ.short",
        "volumeMounts:\n- mountPath: /var/run/secrets/kubernetes.io", "a\n\nb\n", ""})
    CHECK(redact(text) == text);
}

TEST_CASE("bootstrap tokens and web tokens go wherever they stand") {
  CHECK(redact("user system:bootstrap abcdef.0123456789abcdef, ok") ==
        "user system:bootstrap [redacted], ok");
  CHECK(redact("got eyJhbGciOiJSUzI1NiIsImtpZCI6Ij.eyJpc3MiOiJrdWJlcm5ldGVz.c2lnbmF0dXJl!") ==
        "got [redacted]!");
}

TEST_CASE("private keys lose their inside, certificates do not") {
  const auto pair = test::make_credentials();
  const std::string text = redact("a\n" + pair.key + pair.certificate + "b");
  CHECK(text.find(pair.certificate) != std::string::npos);
  for (const std::string& line : private_key_lines(pair.key))
    CHECK(text.find(line) == std::string::npos);
  CHECK(text.starts_with("a\n[redacted private key]\n-----BEGIN CERTIFICATE-----"));
  CHECK(text.ends_with("\nb"));
}

TEST_CASE("the node's own secrets are known and go even where no name tells") {
  const test::TempRoot root;
  const test::FakeHost host(root);
  const auto admin = test::make_credentials();
  const auto authority = test::make_credentials();
  host.write("/etc/kubernetes/pki/ca.key", authority.key);
  host.write("/etc/kubernetes/admin.conf",
             test::kubeconfig(authority.certificate, test::user_data(admin)));
  host.write("/var/lib/kbundle/kubeadm.yaml",
             "kind: InitConfiguration\nbootstrapTokens:\n- token: \"abcdef.0123456789abcdef\"\n"
             "certificateKey: \"00112233445566778899aabbccddeeff\"\n");
  const auto secrets = node_secrets(host);
  const auto key_line = private_key_lines(authority.key).at(0);
  for (const std::string& secret :
       {key_line, private_key_lines(admin.key).at(0), base64_encode(admin.key),
        std::string("abcdef.0123456789abcdef"), std::string("00112233445566778899aabbccddeeff")}) {
    INFO(secret);
    CHECK(redact("log: <" + secret + "> end", secrets) == "log: <[redacted]> end");
  }
}
