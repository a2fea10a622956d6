#include "core/process.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "core/error.hpp"

using namespace kbundle;

TEST_CASE("output, errors and status of a child") {
  const auto result = run({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}});
  CHECK(result.output == "out\n");
  CHECK(result.errors == "err\n");
  CHECK(result.exit_status == 3);
  CHECK_FALSE(result.ok());
}

TEST_CASE("a child reads what it is fed, also more than a pipe holds") {
  const std::string text(1'000'000, 'x');
  CHECK(run({.argv = {"wc", "-c"}, .input = text}).output == "1000000\n");
  Command command{.argv = {"wc", "-c"}};
  command.feed = [&](Sink& sink) { sink.write(text); };
  CHECK(run(command).output == "1000000\n");
}

TEST_CASE("a child that stops reading fails with its own status") {
  Command command{.argv = {"sh", "-c", "exit 4"}, .input = std::string(1'000'000, 'x')};
  CHECK(run(command).exit_status == 4);
}

TEST_CASE("a child that hangs is killed with its group") {
  const auto start = std::chrono::steady_clock::now();
  const auto result =
      run({.argv = {"sh", "-c", "sleep 60 | sleep 60"}, .timeout = std::chrono::milliseconds(200)});
  CHECK(result.timed_out);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
}

TEST_CASE("proxy variables stay out") {
  setenv("https_proxy", "http://proxy.example:3128", 1);
  CHECK(run({.argv = {"sh", "-c", "echo \"$https_proxy\""}}).output == "\n");
  CHECK(run({.argv = {"sh", "-c", "echo \"$https_proxy\""}, .keep_proxy = true}).output ==
        "http://proxy.example:3128\n");
  unsetenv("https_proxy");
}

TEST_CASE("lines come as they are written") {
  std::vector<std::string> lines;
  Command command{.argv = {"printf", "one\\ntwo\\nthree"}};
  command.on_line = [&](std::string_view line) { lines.emplace_back(line); };
  run(command);
  CHECK(lines == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("a failed child is an error with its last words") {
  try {
    run_checked({.argv = {"sh", "-c", "echo the reason >&2; exit 1"}});
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::phase);
    CHECK_THAT(error.message(), Catch::Contains("the reason"));
  }
  CHECK_THROWS_AS(run({.argv = {"no-such-program-here"}}), Error);
}

TEST_CASE("a command is shown as a shell would need it") {
  CHECK(to_shell({"kubeadm", "init", "--x=a b", "it's"}) == "kubeadm init '--x=a b' 'it'\\''s'");
}
