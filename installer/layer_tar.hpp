// The entries of an image layer's tar, as Go's archive/tar reads them: containerd unpacks by that,
// and what is unpacked here must equal it to the last bit. Formats: v7, ustar, PAX, GNU long names
// and numbers. https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md
//
// What Go reads in ways of its own and images hardly ever hold (sparse files, global PAX headers)
// is UnusualLayer here: containerd gets such an image as it is.
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <string>

#include "core/stream.hpp"

namespace kbundle {

/// Nothing is wrong with the layer, but it is left to containerd's own unpacker.
class UnusualLayer : public std::exception {
 public:
  explicit UnusualLayer(std::string what) : what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

struct TarTime {
  std::int64_t seconds = 0;
  std::int32_t nanoseconds = 0;  ///< 0 … 999999999
  auto operator<=>(const TarTime&) const = default;
};

struct TarEntry {
  enum class Type { file, hard_link, symbolic_link, character, block, folder, fifo };
  Type type = Type::file;
  std::string name;  ///< as it stands there, trailing '/' included
  std::string link;
  std::uint32_t mode = 0;  ///< permission bits, set-user-id, set-group-id, sticky
  std::uint32_t user = 0, group = 0;
  std::uint64_t size = 0;  ///< bytes of content; 0 for all but files
  std::uint32_t major = 0, minor = 0;
  TarTime modified;
  TarTime accessed;                           ///< `modified` when that is later, or none is given
  std::map<std::string, std::string> xattrs;  ///< of SCHILY.xattr.* records
};

/// Reads from a stream, which must outlive it. Memory does not grow with the archive.
class LayerTar {
 public:
  explicit LayerTar(Source& from) : from_(from) {}
  /// The next entry; what is left of the one before is skipped. False at the end: then the rest of
  /// the stream is unread. Error{verification} for what is no tar.
  bool next(TarEntry& entry);
  /// Some of the entry's content; 0 at its end.
  std::size_t read(std::span<std::byte> buffer);

 private:
  bool read_block(std::span<std::byte> block);
  std::string read_body(std::uint64_t size, std::uint64_t limit);
  void skip();

  Source& from_;
  std::uint64_t left_ = 0;     // of the content
  std::uint64_t padding_ = 0;  // behind it
  std::uint64_t entries_ = 0;
};

}  // namespace kbundle
