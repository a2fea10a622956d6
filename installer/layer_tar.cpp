#include "installer/layer_tar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kMostEntries = 1U << 22U;
constexpr std::uint64_t kLongestName = 64U << 10U;  // PATH_MAX is 4096; Go allows 1 MiB
constexpr std::uint64_t kLongestPax = 1U << 20U;    // as Go

[[noreturn]] void broken(const std::string& why) {
  throw Error(ExitCode::verification, "a layer is no tar archive: " + why,
              "the image is broken where it came from; take another");
}

std::uint64_t padding_of(std::uint64_t size) {
  return (kBlock - size % kBlock) % kBlock;
}

// A field of text ends at its first NUL.
std::string text_field(std::string_view header, std::size_t offset, std::size_t size) {
  const auto field = header.substr(offset, size);
  return std::string(field.substr(0, field.find('\0')));
}

// Octal, or GNU's base-256: the first bit is set, the next one is the sign.
std::int64_t number_field(std::string_view header, std::size_t offset, std::size_t size) {
  const auto field = header.substr(offset, size);
  const auto first = static_cast<unsigned char>(field[0]);
  if ((first & 0x80U) != 0) {
    const unsigned char invert = (first & 0x40U) != 0 ? 0xFF : 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < field.size(); ++i) {
      auto byte = static_cast<unsigned char>(static_cast<unsigned char>(field[i]) ^ invert);
      if (i == 0) byte &= 0x7FU;
      if ((value >> 56U) != 0) broken("a number is too large");
      value = value << 8U | byte;
    }
    if ((value >> 63U) != 0) broken("a number is too large");
    const auto number = static_cast<std::int64_t>(value);
    return invert != 0 ? ~number : number;
  }
  const auto begin = field.find_first_not_of(std::string_view(" \0", 2));
  if (begin == std::string_view::npos) return 0;
  auto digits = field.substr(begin);
  digits = digits.substr(0, digits.find_last_not_of(std::string_view(" \0", 2)) + 1);
  digits = digits.substr(0, digits.find('\0'));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
  if (error != std::errc{} || end != digits.data() + digits.size() || (value >> 63U) != 0)
    broken("a number is not octal");
  return static_cast<std::int64_t>(value);
}

bool checksum_holds(std::string_view header) {
  std::int64_t with_sign = 0, without = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const char c = i >= 148 && i < 156 ? ' ' : header[i];
    with_sign += static_cast<signed char>(c);
    without += static_cast<unsigned char>(c);
  }
  const auto given = number_field(header, 148, 8);
  return given == without || given == with_sign;
}

// "1350244992.023960108"; more than nine digits are cut off.
TarTime pax_time(std::string_view text) {
  const auto dot = text.find('.');
  const auto whole = text.substr(0, dot);
  TarTime time;
  const auto [end, error] =
      std::from_chars(whole.data(), whole.data() + whole.size(), time.seconds);
  if (error != std::errc{} || end != whole.data() + whole.size() || whole.empty())
    broken("a time is no number");
  if (dot == std::string_view::npos) return time;
  std::string fraction(text.substr(dot + 1, 9));
  if (fraction.find_first_not_of("0123456789") != std::string::npos) broken("a time is no number");
  fraction.resize(9, '0');
  std::from_chars(fraction.data(), fraction.data() + 9, time.nanoseconds);
  if (!whole.empty() && whole[0] == '-' && time.nanoseconds != 0) {
    time.seconds -= 1;
    time.nanoseconds = 1'000'000'000 - time.nanoseconds;
  }
  return time;
}

std::int64_t pax_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) broken("a PAX record is no number");
  return value;
}

using Pax = std::map<std::string, std::string>;

// "LENGTH KEY=VALUE\n", LENGTH counting all of it.
Pax pax_records(std::string_view text) {
  Pax records;
  while (!text.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc{} || digits >= text.size() || text[digits] != ' ' ||
        length < digits + 3 || length > text.size() || text[length - 1] != '\n')
      broken("a PAX record is damaged");
    const auto record = text.substr(digits + 1, length - digits - 2);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0) broken("a PAX record has no key");
    const std::string key(record.substr(0, equals));
    if (key.starts_with("GNU.sparse.")) throw UnusualLayer("it has sparse files");
    records[key] = record.substr(equals + 1);
    text.remove_prefix(length);
  }
  return records;
}

std::uint32_t identifier(std::int64_t value) {
  if (value < 0 || value > 0xFFFFFFFFLL) throw UnusualLayer("it has owners outside 32 bits");
  return static_cast<std::uint32_t>(value);
}

std::optional<TarEntry::Type> type_of(char flag) {
  switch (flag) {
    case '0':
    case '\0':
      return TarEntry::Type::file;
    case '1':
      return TarEntry::Type::hard_link;
    case '2':
      return TarEntry::Type::symbolic_link;
    case '3':
      return TarEntry::Type::character;
    case '4':
      return TarEntry::Type::block;
    case '5':
      return TarEntry::Type::folder;
    case '6':
      return TarEntry::Type::fifo;
    default:
      return {};
  }
}

// What the header block alone says.
struct Header {
  char flag = 0;
  std::uint64_t size = 0;
  std::int64_t user = 0, group = 0;
  std::optional<TarTime> accessed;
};

Header parse_header(std::string_view block, TarEntry& entry) {
  const auto magic = block.substr(257, 8);
  const bool posix = magic.starts_with(std::string_view("ustar\0", 6));
  const bool gnu = magic == std::string_view("ustar  \0", 8);
  Header header;
  header.flag = block[156];
  entry = {};
  entry.name = text_field(block, 0, 100);
  entry.link = text_field(block, 157, 100);
  entry.mode = static_cast<std::uint32_t>(number_field(block, 100, 8) & 07777);
  header.user = number_field(block, 108, 8);
  header.group = number_field(block, 116, 8);
  const auto size = number_field(block, 124, 12);
  if (size < 0) broken("a size is negative");
  header.size = static_cast<std::uint64_t>(size);
  entry.modified.seconds = number_field(block, 136, 12);
  if (posix || gnu) {
    entry.major = static_cast<std::uint32_t>(number_field(block, 329, 8));
    entry.minor = static_cast<std::uint32_t>(number_field(block, 337, 8));
  }
  if (posix && block.substr(508, 4) == std::string_view("tar\0", 4))
    throw UnusualLayer("it is in the format of star");
  if (posix) {
    if (const auto prefix = text_field(block, 345, 155); !prefix.empty())
      entry.name = prefix + "/" + entry.name;
  } else if (gnu && block[345] != '\0') {
    const auto first = block.substr(345, 12);
    if (first.find_first_not_of(std::string_view("01234567 \0", 10)) != std::string_view::npos &&
        (static_cast<unsigned char>(first[0]) & 0x80U) == 0)
      throw UnusualLayer("it has GNU headers with a prefix");
    header.accessed = TarTime{number_field(block, 345, 12), 0};
  }
  return header;
}

void merge_pax(const Pax& records, TarEntry& entry, Header& header) {
  constexpr std::string_view xattr = "SCHILY.xattr.";
  for (const auto& [key, value] : records) {
    if (key.starts_with(xattr)) {
      entry.xattrs[key.substr(xattr.size())] = value;
      continue;
    }
    if (value.empty()) continue;  // keeps what the header says
    if (key == "path") {
      entry.name = value;
    } else if (key == "linkpath") {
      entry.link = value;
    } else if (key == "uid") {
      header.user = pax_number(value);
    } else if (key == "gid") {
      header.group = pax_number(value);
    } else if (key == "size") {
      const auto size = pax_number(value);
      if (size < 0) broken("a size is negative");
      header.size = static_cast<std::uint64_t>(size);
    } else if (key == "mtime") {
      entry.modified = pax_time(value);
    } else if (key == "atime") {
      header.accessed = pax_time(value);
    }
  }
}

}  // namespace

bool LayerTar::read_block(std::span<std::byte> block) {
  std::size_t got = 0;
  while (got < block.size()) {
    const auto count = from_.read(block.subspan(got));
    if (count == 0) break;
    got += count;
  }
  if (got == 0) return false;
  if (got != block.size()) broken("it ends inside a header");
  return true;
}

std::string LayerTar::read_body(std::uint64_t size, std::uint64_t limit) {
  if (size > limit) throw UnusualLayer("it has names or records of " + human_size(size));
  std::string body(size, '\0');
  left_ = size;
  padding_ = padding_of(size);
  std::size_t got = 0;
  while (got < body.size()) {
    const auto count = read(std::as_writable_bytes(std::span(body)).subspan(got));
    if (count == 0) broken("it ends inside a header");
    got += count;
  }
  skip();
  return body;
}

std::size_t LayerTar::read(std::span<std::byte> buffer) {
  if (left_ == 0) return 0;
  const auto count = from_.read(buffer.first(std::min<std::uint64_t>(buffer.size(), left_)));
  if (count == 0) broken("it ends inside a file");
  left_ -= count;
  return count;
}

void LayerTar::skip() {
  std::array<std::byte, 16384> buffer{};
  for (left_ += padding_, padding_ = 0; left_ > 0;) read(buffer);
}

bool LayerTar::next(TarEntry& entry) {
  skip();
  if (++entries_ > kMostEntries) throw UnusualLayer("it has more than 4 million entries");
  Pax records;
  std::string long_name, long_link;
  for (;;) {
    std::array<char, kBlock> block{};
    const auto bytes = std::as_writable_bytes(std::span(block));
    if (!read_block(bytes)) return false;
    const std::string_view view(block.data(), block.size());
    if (view.find_first_not_of('\0') == std::string_view::npos) {
      if (!read_block(bytes)) return false;
      if (view.find_first_not_of('\0') != std::string_view::npos)
        broken("an entry follows its end");
      return false;
    }
    if (!checksum_holds(view)) broken("a header's sum does not hold");
    Header header = parse_header(view, entry);
    switch (header.flag) {
      case 'x':
        records = pax_records(read_body(header.size, kLongestPax));
        continue;
      case 'L':
      case 'K': {
        std::string text = read_body(header.size, kLongestName);
        text.resize(std::min(text.find('\0'), text.size()));
        (header.flag == 'L' ? long_name : long_link) = std::move(text);
        continue;
      }
      default:
        break;
    }
    const auto type = type_of(header.flag);
    if (!type)
      throw UnusualLayer("it has an entry of the type '" + printable({&header.flag, 1}) + "'");
    entry.type = *type;
    merge_pax(records, entry, header);
    if (!long_name.empty()) entry.name = long_name;
    if (!long_link.empty()) entry.link = long_link;
    if (header.flag == '\0' && entry.name.ends_with('/')) entry.type = TarEntry::Type::folder;
    entry.user = identifier(header.user);
    entry.group = identifier(header.group);
    entry.accessed = std::max(entry.modified, header.accessed.value_or(entry.modified));
    if (entry.name.find('\0') != std::string::npos || entry.link.find('\0') != std::string::npos)
      broken("a name holds a NUL");
    // Links, folders and devices carry no content, whatever their header says.
    entry.size = entry.type == TarEntry::Type::file ? header.size : 0;
    left_ = entry.size;
    padding_ = padding_of(entry.size);
    return true;
  }
}

}  // namespace kbundle
