// Downloads in a process of their own: stopped, killed, measured.
#include <signal.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "servers.hpp"

using namespace kbundle;
using namespace kbundle::test;
using std::chrono::milliseconds;

namespace {

// bad_registry.py's "slow" gives 64 KiB every 0.2 s, and a Range at once.
struct SlowDownload {
  std::string content = pattern(3U << 20U);
  BadServer server{content};
  Folder folder;
  Descriptor blob = descriptor_of(content);

  void pull() {
    BlobStore store(folder.path);
    RegistryClient client(options_for({server.host()}));
    (void)client.blob(Reference::parse(server.host() + "/slow"), blob, store, nullptr);
  }
};

}  // namespace

TEST_CASE("a stop request ends a download within a second, exit 130, and keeps what came") {
  SlowDownload slow;
  const pid_t child = fork_run([&] {
    handle_stop_signals();
    slow.pull();
  });
  std::this_thread::sleep_for(milliseconds(1000));
  const auto start = std::chrono::steady_clock::now();
  ::kill(child, SIGTERM);
  CHECK(wait_for(child) == 130);
  CHECK(std::chrono::steady_clock::now() - start < milliseconds(1500));
  BlobStore store(slow.folder.path);
  CHECK(store.open_partial(slow.blob.digest).offset() > 0);
}

TEST_CASE("a killed download is resumed by the next run") {
  SlowDownload slow;
  const pid_t child = fork_run([&] { slow.pull(); });
  std::this_thread::sleep_for(milliseconds(1000));
  ::kill(child, SIGKILL);
  CHECK(wait_for(child) == 128 + SIGKILL);
  BlobStore store(slow.folder.path);
  CHECK_FALSE(store.find(slow.blob.digest));
  slow.pull();
  CHECK(store.read(slow.blob.digest) == slow.content);
  const std::string last = slow.server.log().back();
  CHECK(split(last, '|').at(1).starts_with("bytes="));
}

TEST_CASE("two processes do not write one partial") {
  SlowDownload slow;
  const pid_t child = fork_run([&] { slow.pull(); });
  std::this_thread::sleep_for(milliseconds(700));
  CHECK(error_of([&] { slow.pull(); }).code() == ExitCode::busy);
  ::kill(child, SIGKILL);
  wait_for(child);
}

TEST_CASE("memory does not grow with the blob") {
  const DockerRegistry registry;
  Descriptor blob;
  {
    const std::string content = pattern(192U << 20U);
    registry.push_blob("large", content);
    blob = descriptor_of(content);
  }
  const Folder folder;
  // The child begins with this process's pages, so what counts is what it adds to them.
  const pid_t child = fork_run([&] {
    rusage before{};
    ::getrusage(RUSAGE_SELF, &before);
    BlobStore store(folder.path);
    RegistryClient client(options_for({registry.host()}));
    (void)client.blob(Reference::parse(registry.host() + "/large"), blob, store, nullptr);
    rusage after{};
    ::getrusage(RUSAGE_SELF, &after);
    if (after.ru_maxrss - before.ru_maxrss > 32 * 1024) throw Error(ExitCode::internal, "too much");
  });
  CHECK(wait_for(child) == 0);
}
