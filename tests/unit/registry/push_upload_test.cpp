#include <catch2/catch.hpp>

#include "registry/upload.hpp"

using namespace kbundle;

TEST_CASE("the Range of an upload's answer") {
  CHECK(parse_upload_range("0-16777215") == 16777216U);
  CHECK(parse_upload_range(" bytes=0-9 ") == 10U);
  CHECK(parse_upload_range("0-0") == 0U);  // docker-registry's word for nothing
  for (const char* bad : {"", "-", "0-", "0--1", "1-9", "0-9x", "0-18446744073709551615",
                          "0-99999999999999999999", "x"}) {
    INFO(bad);
    CHECK_FALSE(parse_upload_range(bad));
  }
}

TEST_CASE("a refusal is told in the registry's words, each error with what it is about") {
  HttpResponse response;
  response.error_body =
      R"({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown","detail":)"
      R"({"digest":"sha256:ab"}},{"code":"DENIED","message":"no\u001b[31m","detail":null},7]})";
  CHECK(refusal_words(response) ==
        "MANIFEST_BLOB_UNKNOWN: blob unknown (sha256:ab); DENIED: no\\x1b[31m");
  CHECK(has_error_code(response, "DENIED"));
  CHECK_FALSE(has_error_code(response, "DIGEST_INVALID"));
  response.error_body = "<html>busy";
  CHECK(refusal_words(response) == "<html>busy");
}
