#include "builder/archives.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <set>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

// A Source behind libarchive's callbacks; exceptions wait here while C code is on the stack.
struct Feed {
  Source& source;
  std::vector<std::byte> buffer = std::vector<std::byte>(kCopyBufferSize);
  std::exception_ptr failure = nullptr;
};

la_ssize_t read_more(archive* reader, void* data, const void** out) {
  auto& feed = *static_cast<Feed*>(data);
  try {
    throw_if_interrupted();
    *out = feed.buffer.data();
    return static_cast<la_ssize_t>(feed.source.read(feed.buffer));
  } catch (...) {
    feed.failure = std::current_exception();
    archive_set_error(reader, EIO, "reading failed");
    return ARCHIVE_FATAL;
  }
}

class Reader {
 public:
  Reader(Source& source, std::string_view what) : feed_{source}, what_(what) {
    // By name: anything else, and filters that run programs, stay unknown to it.
    archive_read_support_format_tar(archive_.get());
    archive_read_support_filter_gzip(archive_.get());
    if (archive_read_open(archive_.get(), &feed_, nullptr, read_more, nullptr) != ARCHIVE_OK) {
      fail();
    }
  }

  /// nullptr at the end.
  archive_entry* next() {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive_.get(), &entry);
    if (status == ARCHIVE_EOF) return nullptr;
    if (status != ARCHIVE_OK) fail();
    return entry;
  }

  std::size_t read(std::span<std::byte> buffer) {
    const auto count = archive_read_data(archive_.get(), buffer.data(), buffer.size());
    if (count < 0) fail();
    return static_cast<std::size_t>(count);
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ExitCode::verification, fmt::format("the archive {}: {}", what_, why),
                "it is not what its project publishes; get it from another place (--mirror)");
  }

 private:
  struct Free {
    void operator()(archive* reader) const { archive_read_free(reader); }
  };
  [[noreturn]] void fail() {
    if (feed_.failure) std::rethrow_exception(feed_.failure);
    const char* text = archive_error_string(archive_.get());
    refuse(fmt::format("damaged: {}", printable(text == nullptr ? "unreadable" : text)));
  }

  Feed feed_;
  std::string what_;
  std::unique_ptr<archive, Free> archive_{archive_read_new()};
};

// The name without ./ and a closing slash, or the reason to refuse the archive. "" is its root.
std::string checked_name(const Reader& reader, archive_entry* entry) {
  const char* raw = archive_entry_pathname(entry);
  if (raw == nullptr) reader.refuse("an entry's name is not text");
  const std::string name = raw;
  const std::string shown = printable(name.substr(0, 200));
  if (name.size() > 4096 || printable(name) != name) {
    reader.refuse(fmt::format("the name \"{}\" is too long or has control characters", shown));
  }
  if (name.starts_with('/')) reader.refuse(fmt::format("the absolute name \"{}\"", shown));
  std::string plain;
  for (const std::string& part : split(name, '/')) {
    if (part == "..") reader.refuse(fmt::format("the name \"{}\" leaves the archive", shown));
    if (part.empty() || part == ".") continue;
    plain += (plain.empty() ? "" : "/") + part;
  }
  return plain;
}

void check_kind(const Reader& reader, archive_entry* entry, const std::string& name) {
  const auto refuse = [&](const char* what) {
    reader.refuse(fmt::format("\"{}\" is {}", printable(name.substr(0, 200)), what));
  };
  if (archive_entry_hardlink(entry) != nullptr) refuse("a hard link");
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFLNK) refuse("a symbolic link");
  if (type != AE_IFREG && type != AE_IFDIR) refuse("a device, socket or FIFO");
  if (type == AE_IFREG && name.empty()) refuse("a file without a name");
  if ((archive_entry_perm(entry) & 06000U) != 0) refuse("setuid or setgid");
  if (archive_entry_xattr_count(entry) > 0) refuse("a file with extended attributes");
}

// The content into the store. What it is called there until it is whole need only be unlike the
// names of other downloads.
ArchiveMember store_content(Reader& reader, const std::string& name, std::string_view what,
                            BlobStore& store, std::uint64_t limit) {
  auto partial = store.open_partial(sha256(fmt::format("member {} of {}", name, what)));
  if (partial.offset() > 0) partial.restart();
  std::vector<std::byte> buffer(kCopyBufferSize);
  ArchiveMember member{name, {}, 0, false};
  while (const std::size_t count = reader.read(buffer)) {
    member.size += count;
    if (member.size > limit) {
      partial.restart();
      reader.refuse(fmt::format("\"{}\" has more than {}", printable(name), human_size(limit)));
    }
    partial.append(std::span<const std::byte>(buffer.data(), count));
  }
  member.digest = partial.publish_as_found();
  return member;
}

}  // namespace

std::vector<ArchiveMember> store_members(Source& archive, std::string_view what, BlobStore& store,
                                         const ArchiveLimits& limits) {
  Reader reader(archive, what);
  std::vector<ArchiveMember> members;
  std::set<std::string> names;
  std::uint64_t total = 0;
  std::size_t entries = 0;
  while (archive_entry* entry = reader.next()) {
    if (++entries > limits.entries) {
      reader.refuse(fmt::format("more than {} entries", limits.entries));
    }
    const std::string name = checked_name(reader, entry);
    check_kind(reader, entry, name);
    if (!name.empty() && !names.insert(name).second) {
      reader.refuse(fmt::format("\"{}\" stands twice", printable(name)));
    }
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    const bool executable = (archive_entry_perm(entry) & 0111U) != 0;
    const std::uint64_t limit = std::min(limits.member, limits.total - total);
    members.push_back(store_content(reader, name, what, store, limit));
    members.back().executable = executable;
    total += members.back().size;
  }
  return members;
}

}  // namespace kbundle
