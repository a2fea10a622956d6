#include "builder/published_sum.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

namespace kbundle {
namespace {

const std::string a(64, 'a');
const std::string b(64, 'b');

TEST_CASE("a bare digest") {
  CHECK(published_sum(a, "kubeadm", "w").hex() == a);
  CHECK(published_sum(a + "\n", "kubeadm", "w").hex() == a);
  CHECK(published_sum("  " + std::string(64, 'A') + "\r\n", "kubeadm", "w").hex() == a);
}

TEST_CASE("a list of sums") {
  const std::string list = a + "  other.tgz\n" + b + " *./dir/mine.tgz\n";
  CHECK(published_sum(list, "mine.tgz", "w").hex() == b);
  CHECK(published_sum(list, "other.tgz", "w").hex() == a);
  CHECK_THROWS_AS(published_sum(list, "third.tgz", "w"), Error);
  CHECK_THROWS_AS(published_sum(a + "  other.tgz\n", "mine.tgz", "w"), Error);
  CHECK_THROWS_AS(published_sum(a + "  x\n" + b + "  x\n", "x", "w"), Error);
  CHECK(published_sum(a + "  x\n" + a + "  x\n", "x", "w").hex() == a);
}

TEST_CASE("clear-signed text around the list") {
  const std::string text =
      "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + a + " *runc.amd64\n" + b +
      " *runc.arm64\n-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCAAdFiEE\n=abcd\n"
      "-----END PGP SIGNATURE-----\n";
  CHECK(published_sum(text, "runc.amd64", "w").hex() == a);
  CHECK(published_sum(text, "runc.arm64", "w").hex() == b);
  CHECK_THROWS_AS(published_sum(text, "runc.s390x", "w"), Error);
}

TEST_CASE("what is no sum is refused, and shown") {
  for (const std::string& text :
       {std::string(), std::string("<html>404</html>"), std::string(63, 'a'), std::string(65, 'a'),
        a + "\n" + b + "\n", std::string("\x1b[2J")}) {
    try {
      published_sum(text, "kubeadm", "https://x/kubeadm.sha256");
      FAIL("not refused: " << text);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::verification);
      CHECK(error.message().find("https://x/kubeadm.sha256") == 0);
      CHECK(error.message().find('\x1b') == std::string::npos);
    }
  }
}

}  // namespace
}  // namespace kbundle
