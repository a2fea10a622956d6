// Writing a bundle and reading it again.
#include <catch2/catch.hpp>

#include "bundles/envelope.hpp"
#include "bundles/frames.hpp"
#include "bundles/head.hpp"
#include "bundles/inspect.hpp"
#include "bundles/layout.hpp"
#include "sample.hpp"

using namespace kbundle;
using kbundle::test::refusal;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::unique_ptr<Progress> quiet = make_progress(ProgressMode::quiet);

void check_all_blobs(const Bundle& bundle, const test::Sample& sample) {
  for (const auto& [digest, content] : sample.blobs) {
    CHECK((bundle.read_blob(digest, 1U << 30U) == content));
  }
}

}  // namespace

TEST_CASE("a bundle there and back") {
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate(GENERATE(KeyAlgorithm::ed25519, KeyAlgorithm::ecdsa_p256));
  const auto sample = test::small_sample();
  const auto result = sample.write(folder / "b.tar.zst", key);
  const auto bundle = test::open_signed(folder / "b.tar.zst", key);
  CHECK(bundle.size() == result.size);
  CHECK(bundle.size() == std::filesystem::file_size(folder / "b.tar.zst"));
  CHECK(bundle.id() == result.id);
  CHECK(bundle.id() == sha256(bundle.payload()).str());
  REQUIRE(bundle.signers().size() == 1);
  CHECK(bundle.signers()[0].id() == key.public_key().id());
  CHECK(bundle.inventory().blobs.size() == sample.blobs.size());
  CHECK(bundle.inventory().head_size % 65536 == 0);
  CHECK_FALSE(bundle.inventory().libzstd_version.empty());
  CHECK(bundle.bad_frames(*quiet).empty());
  bundle.verify_deep(*quiet);
  check_all_blobs(bundle, sample);
  CHECK_FALSE(refusal([&] { bundle.open_blob(sha256("no such")); }).empty());
  CHECK_FALSE(refusal([&] { bundle.read_blob(sha256(std::string(200000, 'k')), 1000); }).empty());
  // Nothing but the bundle is left in the folder.
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a bundle of nothing but a file") {
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate();
  test::tiny_sample().write(folder / "b.tar.zst", key);
  test::open_signed(folder / "b.tar.zst", key).verify_deep(*quiet);
}

TEST_CASE("a 40 MiB blob beside small ones, with 1 and 4 threads") {
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate();
  auto sample = test::small_sample();
  sample.add_file("large", "/opt/large", test::random_bytes(40U << 20U, 5));
  sample.add_file("text", "/opt/text", std::string(20U << 20U, 't'));
  WriteOptions options;
  options.threads = 1;
  options.compression_level = 1;
  const auto first = sample.write(folder / "1.tar.zst", key, options);
  options.threads = 4;
  options.read_back = false;
  // The order in which the blobs are named does not matter either.
  std::reverse(sample.inventory.blobs.begin(), sample.inventory.blobs.end());
  const auto second = sample.write(folder / "4.tar.zst", key, options);
  CHECK(first.id == second.id);
  CHECK(
      test::shell("cmp " + (folder / "1.tar.zst").string() + " " + (folder / "4.tar.zst").string())
          .ok());

  const auto bundle = test::open_signed(folder / "4.tar.zst", key);
  const auto& frames = bundle.inventory().frames;
  std::vector<std::uint64_t> contents;
  for (const auto& frame : frames) contents.push_back(frame.content_size);
  std::vector<std::uint64_t> planned;
  std::vector<Packing> packing;
  for (const auto& blob : bundle.inventory().blobs) {
    const auto& files = bundle.inventory().files;
    const bool program = std::any_of(files.begin(), files.end(), [&](const FileRecord& file) {
      return file.digest == blob.digest;
    });
    packing.push_back(program ? Packing::program : Packing::image);
  }
  for (const auto& frame : plan_frames(Body::of(bundle.inventory()), packing)) {
    planned.push_back(frame.content_size);
  }
  CHECK(contents == planned);
  CHECK(frames.size() >= 5);
  check_all_blobs(bundle, sample);
}

TEST_CASE("a compressed blob lies in the file as it is, and is read in parts") {
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate();
  auto sample = test::small_sample();
  const std::string layer = "\x1f\x8b" + test::random_bytes(1'000'000, 7);
  sample.add_file("layer", "/opt/layer", layer);
  const Digest digest = sample.inventory.files.back().digest;
  sample.write(folder / "b.tar.zst", key);
  const auto bundle = test::open_signed(folder / "b.tar.zst", key);
  check_all_blobs(bundle, sample);

  const auto part = [&](std::uint64_t offset, std::uint64_t size) {
    return read_all(*bundle.open_blob_range(digest, offset, size), size, "the part");
  };
  CHECK(part(0, layer.size()) == layer);
  CHECK(part(0, 0).empty());
  CHECK(part(layer.size() - 1, 1) == layer.substr(layer.size() - 1));
  for (const auto offset :
       std::vector<std::uint64_t>{1, 130'000, kRawFrameContent - 513, 700'001}) {
    CHECK(part(offset, 300'000) == layer.substr(offset, 300'000));
  }
  CHECK(contains(refusal([&] { part(layer.size(), 1); }), "1000002 bytes"));
  CHECK(contains(refusal([&] { part(~0ULL, 2); }), "1000002 bytes"));

  // Nothing of a frame that does not hold comes out.
  const auto file = read_file(folder / "b.tar.zst");
  const auto at = file.find(layer.substr(300'000, 64));
  REQUIRE(at != std::string::npos);
  auto damaged = file;
  damaged[at] ^= 1;
  write_file(folder / "d.tar.zst", damaged);
  const auto other = test::open_signed(folder / "d.tar.zst", key);
  const auto source = other.open_blob_range(digest, 0, layer.size());
  std::string got;
  const auto why = refusal([&] {
    std::string buffer(10'000, '\0');
    while (const auto count = source->read(std::as_writable_bytes(std::span(buffer)))) {
      got += buffer.substr(0, count);
    }
  });
  CHECK(contains(why, "is damaged"));
  CHECK(got == layer.substr(0, 2 * kRawFrameContent - 512));
}

TEST_CASE("a blob that is not what its digest says is not packed") {
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate();
  auto sample = test::small_sample();
  const auto digest = sample.inventory.files[1].digest;
  SECTION("other bytes") {
    sample.blobs[digest][100] = 'x';
  }
  SECTION("too short") {
    sample.blobs[digest].pop_back();
  }
  SECTION("too long") {
    sample.blobs[digest] += 'k';
  }
  CHECK(contains(refusal([&] { sample.write(folder / "b.tar.zst", key); }), digest.str()));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("an image whose layer is missing is not packed") {
  const test::TemporaryFolder folder;
  auto sample = test::small_sample();
  const auto layer = sha256(test::random_bytes(3000, 1));
  std::erase_if(sample.inventory.blobs, [&](const auto& blob) { return blob.digest == layer; });
  const auto message = refusal([&] { sample.write(folder / "b.tar.zst", PrivateKey::generate()); });
  CHECK(contains(message, "which is not in the bundle"));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("who is believed") {
  const test::TemporaryFolder folder;
  const auto file = folder / "b.tar.zst";
  const TrustStore store(folder / "trusted");
  const auto key = PrivateKey::generate();
  const auto other = PrivateKey::generate().public_key();
  const auto id = test::small_sample().write(file, key).id;
  TrustOptions options;

  SECTION("a trusted key") {
    TrustStore(store).add(key.public_key());
    CHECK(Bundle::open(file, store, options).signers().size() == 1);
  }
  SECTION("another key: both fingerprints") {
    TrustStore(store).add(other);
    const auto message = refusal([&] { Bundle::open(file, store, options); });
    CHECK(contains(message, other.fingerprint()));
    CHECK(contains(message, key.public_key().fingerprint()));
  }
  SECTION("unsigned, by its id alone") {
    options.allow_unsigned = true;
    CHECK(contains(refusal([&] { Bundle::open(file, store, options); }, ExitCode::usage),
                   "--bundle-id"));
    options.bundle_id = sha256("another").str();
    CHECK(contains(refusal([&] { Bundle::open(file, store, options); }), id));
    options.bundle_id = "sha256:../../x";
    CHECK_FALSE(refusal([&] { Bundle::open(file, store, options); }).empty());
    options.bundle_id = id;
    const auto bundle = Bundle::open(file, store, options);
    CHECK(bundle.signers().empty());
    CHECK(bundle.id() == id);
  }
}

TEST_CASE("heads that are whole but wrong") {
  const test::TemporaryFolder folder;
  const auto file = folder / "b.tar.zst";
  const auto key = PrivateKey::generate();
  test::small_sample().write(file, key);
  const auto bytes = read_file(file);
  const auto inventory = test::open_signed(file, key).inventory();
  const auto payload = inventory.serialize();
  const auto put = [&](const Envelope& envelope, const std::string& rest) {
    const auto head = build_head(envelope.serialize(), inventory.head_size);
    write_file(file, head + rest);
  };
  const std::string rest = bytes.substr(inventory.head_size);
  const auto open = [&] { test::open_signed(file, key); };
  Envelope envelope{kInventoryPayloadType, payload, {}};

  SECTION("no signature") {
    put(envelope, rest);
    CHECK(refusal(open) == "the bundle is not signed");
  }
  SECTION("a keyid that lies") {
    envelope.sign(PrivateKey::generate());
    envelope.signatures[0].keyid = key.public_key().id();
    put(envelope, rest);
    CHECK(contains(refusal(open), "did not sign this content"));
  }
  SECTION("a foreign payload type, before the payload is looked at") {
    Envelope foreign{"application/vnd.in-toto+json", "not json", {}};
    foreign.sign(key);
    put(foreign, rest);
    CHECK(contains(refusal(open), "application/vnd.in-toto+json"));
  }
  SECTION("the signed inventory of another bundle") {
    auto other = test::small_sample();
    other.add_file("more", "/opt/more", "more");
    other.write(folder / "other.tar.zst", key);
    const auto swapped = read_file(folder / "other.tar.zst").substr(0, inventory.head_size);
    write_file(file, swapped + rest);
    CHECK_FALSE(refusal(open).empty());
  }
  SECTION("a second signature is read, and re-signing needs no more room") {
    envelope.sign(key);
    envelope.sign(PrivateKey::generate(KeyAlgorithm::ecdsa_p256));
    const auto text = envelope.serialize();
    const auto head = describe_head(text);
    const auto table =
        seek_table(head.frame0_stored, head.frame0_content, inventory.head_size, inventory.frames);
    put(envelope, rest.substr(0, rest.size() - table.size()) + table);
    CHECK(refusal(open).empty());
  }
  SECTION("no bundle at all") {
    write_file(file, std::string(100000, 'x'));
    CHECK(contains(refusal(open), "does not begin as a bundle does"));
    write_file(file, "");
    CHECK(contains(refusal(open), "ends inside its header"));
  }
}

TEST_CASE("inspect") {
  const test::TemporaryFolder folder;
  const auto key = PrivateKey::generate();
  const auto result = test::small_sample().write(folder / "b.tar.zst", key);
  const auto bundle = test::open_signed(folder / "b.tar.zst", key);
  const auto json = inspect_json(bundle);
  CHECK(json.at("id") == result.id);
  CHECK(json.at("size") == result.size);
  CHECK(json.at("serial") == 3);
  CHECK(json.at("frames").at("count") == bundle.inventory().frames.size());
  CHECK(json.at("signers").at(0).at("keyid") == key.public_key().id());
  CHECK(json.at("images").size() == 2);
  const auto text = inspect_table(bundle);
  CHECK(contains(text, result.id));
  CHECK(contains(text, key.public_key().fingerprint()));
  CHECK(contains(text, "registry.local/kube-apiserver:v1.18.2"));
  CHECK(contains(text, "/usr/bin/kubelet"));
  CHECK(contains(text, bundle.inventory().images[0].digest.str()));
}
