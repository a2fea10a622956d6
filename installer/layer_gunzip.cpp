#include "installer/layer_gunzip.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "core/error.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kHistory = 32 * 1024;  // matches reach back that far
constexpr std::size_t kLongestMatch = 258;
// Behind the end of both buffers: what a step may read or write too far.
constexpr std::size_t kSlack = 64;
constexpr std::size_t kOutput = kHistory + kCopyBufferSize;

// An entry's bits: 0-7 how many bits to take, 8-12 how many extra ones follow (of a pointer to a
// further table: how many select in it), 13-15 what it is, 16-31 the value.
constexpr std::uint32_t kLiteral = 1U << 13U;
constexpr std::uint32_t kFurther = 1U << 14U;
constexpr std::uint32_t kSpecial = 1U << 15U;  // the end of the block, or no code
constexpr std::uint32_t kNoCode = kSpecial | 1U << 16U;

constexpr unsigned kLongestCode = 15;
constexpr std::size_t kLengthSymbols = 288, kDistanceSymbols = 32, kCodeSymbols = 19;

[[noreturn]] void damaged(const std::string& why) {
  throw Error(ExitCode::verification, "a layer's compressed stream is damaged: " + why,
              "the image is broken where it came from; take another");
}

std::uint32_t entry(std::uint32_t kind, std::size_t value, unsigned extra = 0) {
  return kind | static_cast<std::uint32_t>(value) << 16U | extra << 8U;
}

// Entries without the bits to take, by symbol.
std::array<std::uint32_t, kLengthSymbols> length_entries() {
  std::array<std::uint32_t, kLengthSymbols> result{};
  for (std::size_t i = 0; i < 256; ++i) result[i] = entry(kLiteral, i);
  result[256] = kSpecial;
  std::size_t base = 3;
  for (std::size_t i = 257; i < 285; ++i) {
    const auto extra = static_cast<unsigned>(i < 265 ? 0 : (i - 261) / 4);
    result[i] = entry(0, base, extra);
    base += std::size_t{1} << extra;
  }
  result[285] = entry(0, kLongestMatch);
  result[286] = result[287] = kNoCode;
  return result;
}

std::array<std::uint32_t, kDistanceSymbols> distance_entries() {
  std::array<std::uint32_t, kDistanceSymbols> result{};
  std::size_t base = 1;
  for (std::size_t i = 0; i < 30; ++i) {
    const auto extra = static_cast<unsigned>(i < 4 ? 0 : i / 2 - 1);
    result[i] = entry(0, base, extra);
    base += std::size_t{1} << extra;
  }
  result[30] = result[31] = kNoCode;
  return result;
}

std::array<std::uint32_t, kCodeSymbols> code_entries() {
  std::array<std::uint32_t, kCodeSymbols> result{};
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = entry(0, i);
  return result;
}

unsigned reversed(unsigned code, unsigned length) {
  unsigned result = 0;
  for (unsigned i = 0; i < length; ++i) result |= (code >> i & 1U) << (length - 1 - i);
  return result;
}

}  // namespace

// At least 56 bits then; reads 8 bytes at `next`.
inline void GunzipSource::Bits::refill() {
  std::uint64_t more = 0;
  std::memcpy(&more, next, sizeof more);
  if constexpr (std::endian::native == std::endian::big) more = __builtin_bswap64(more);
  word |= more << count;
  next += (63U - count) >> 3U;
  count |= 56U;
}

inline void GunzipSource::Bits::drop(unsigned bits) {
  word >>= bits;
  count -= bits;
}

inline std::uint32_t GunzipSource::Bits::take(unsigned bits) {
  const auto value = static_cast<std::uint32_t>(word & ((std::uint64_t{1} << bits) - 1));
  drop(bits);
  return value;
}

template <unsigned kMainBits, std::size_t kSymbols>
class GunzipSource::Table {
 public:
  explicit Table(const std::array<std::uint32_t, kSymbols>& symbols) : symbols_(symbols) {}

  /// Of each symbol's code length, 0 to 15. Codes must be complete; one single code of one bit, and
  /// none at all, are let pass, as by zlib and Go.
  void build(std::span<const std::uint8_t> lengths) {
    std::array<unsigned, kLongestCode + 1> count{}, code{};
    for (const auto length : lengths) ++count[length];
    count[0] = 0;
    unsigned next = 0, longest = 0;
    for (unsigned length = 1; length <= kLongestCode; ++length) {
      next = (next + count[length - 1]) << 1U;
      code[length] = next;
      if (count[length] > 0) longest = length;
      if (next + count[length] > 1U << length) damaged("its codes are too many");
    }
    const bool complete = code[kLongestCode] + count[kLongestCode] == 1U << kLongestCode;
    if (!complete && longest > 1) damaged("its codes are too few");
    if (!complete) entries_.fill(kNoCode);

    // Where the codes lie that are longer than the main table looks.
    auto codes = code;
    std::array<std::uint8_t, std::size_t{1} << kMainBits> further{};
    if (longest > kMainBits)
      for (const auto length : lengths) {
        if (length == 0) continue;
        const unsigned bits = reversed(codes[length]++, length);
        auto& deepest = further[bits & kMask];
        if (length > kMainBits)
          deepest = std::max(deepest, static_cast<std::uint8_t>(length - kMainBits));
      }
    std::size_t free = std::size_t{1} << kMainBits;
    if (longest > kMainBits)
      for (std::size_t i = 0; i < further.size(); ++i) {
        if (further[i] == 0) continue;
        entries_[i] = entry(kFurther, free, further[i]) | kMainBits;
        free += std::size_t{1} << further[i];
      }

    for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
      const unsigned length = lengths[symbol];
      if (length == 0) continue;
      const unsigned bits = reversed(code[length]++, length);
      if (length <= kMainBits) {
        for (std::size_t i = bits; i <= kMask; i += std::size_t{1} << length)
          entries_[i] = symbols_[symbol] | length;
        continue;
      }
      const std::uint32_t pointer = entries_[bits & kMask];
      const std::size_t size = std::size_t{1} << (pointer >> 8U & 31U);
      for (std::size_t i = bits >> kMainBits; i < size; i += std::size_t{1} << (length - kMainBits))
        entries_[(pointer >> 16U) + i] = symbols_[symbol] | (length - kMainBits);
    }
  }

  /// The entry for the next bits, which are taken.
  std::uint32_t find(Bits& bits) const {
    std::uint32_t found = entries_[bits.word & kMask];
    if ((found & kFurther) != 0) {
      bits.drop(kMainBits);
      found = entries_[(found >> 16U) + (bits.word & ((1U << (found >> 8U & 31U)) - 1))];
    }
    bits.drop(found & 0xFFU);
    return found;
  }

 private:
  static constexpr std::size_t kMask = (std::size_t{1} << kMainBits) - 1;
  // Each symbol whose code is longer needs a further table at most.
  static constexpr std::size_t kDeepest =
      kMainBits < kLongestCode ? std::size_t{1} << (kLongestCode - kMainBits) : 0;
  std::array<std::uint32_t, (std::size_t{1} << kMainBits) + kSymbols * kDeepest> entries_{};
  std::array<std::uint32_t, kSymbols> symbols_;
};

namespace {

// Up to 15 bytes behind the match may be written: there is room, and they are written again.
inline void copy_match(std::uint8_t* to, std::size_t distance, std::size_t length) {
  const std::uint8_t* from = to - distance;
  const std::uint8_t* const end = to + length;
  if (distance >= 16) {
    for (; to < end; to += 16, from += 16) std::memcpy(to, from, 16);
  } else if (distance >= 8) {
    for (; to < end; to += 8, from += 8) std::memcpy(to, from, 8);
  } else if (distance == 1) {
    std::memset(to, *from, length);
  } else {
    while (to < end) *to++ = *from++;
  }
}

}  // namespace

struct GunzipSource::Codes {
  Table<11, kLengthSymbols> lengths{length_entries()};
  Table<8, kDistanceSymbols> distances{distance_entries()};
  Table<7, kCodeSymbols> codes{code_entries()};
};

GunzipSource::GunzipSource(Input input)
    : input_(std::move(input)),
      in_(kCopyBufferSize + 2 * kSlack),
      bits_{in_.data()},
      end_(in_.data()),
      out_(kOutput + kLongestMatch + kSlack),
      made_(out_.data()),
      given_(out_.data()),
      codes_(std::make_shared<Codes>()) {}

std::size_t GunzipSource::read(std::span<std::byte> buffer) {
  if (buffer.empty()) return 0;
  while (given_ == made_) {
    if (state_ == State::between && !begin_member()) return 0;
    if (made_ >= out_.data() + kOutput) {
      std::memmove(out_.data(), made_ - kHistory, kHistory);
      made_ = given_ = out_.data() + kHistory;
    }
    decode();
  }
  const auto count = std::min(buffer.size(), static_cast<std::size_t>(made_ - given_));
  std::memcpy(buffer.data(), given_, count);
  given_ += count;
  return count;
}

// Has kSlack bytes to read behind bits_.next, or the end of the input and zeros.
void GunzipSource::more_input() {
  const auto left = static_cast<std::size_t>(end_ - bits_.next);
  if (at_end_ || left >= kSlack) {
    if (bits_.next > end_ + sizeof bits_) damaged("it ends early");
    return;
  }
  // What was read ahead of the bits stays before bits_.next: align() may give it back.
  const std::size_t ahead = bits_.count >> 3U;
  std::memmove(in_.data(), bits_.next - ahead, ahead + left);
  std::size_t filled = ahead + left;
  while (filled < ahead + kSlack && !at_end_) {
    const auto count = input_(
        std::as_writable_bytes(std::span(in_).subspan(filled, in_.size() - filled - kSlack)));
    at_end_ = count == 0;
    filled += count;
  }
  bits_.next = in_.data() + ahead;
  end_ = in_.data() + filled;
  if (at_end_) std::fill_n(in_.data() + filled, kSlack, std::uint8_t{0});
}

// At most 32 bits.
std::uint32_t GunzipSource::take(unsigned bits) {
  if (bits_.count < bits) {
    more_input();
    bits_.refill();
  }
  return bits_.take(bits);
}

// To the next whole byte; what was read ahead is given back.
void GunzipSource::align() {
  bits_ = Bits{bits_.next - (bits_.count >> 3U)};
  if (bits_.next > end_) damaged("it ends early");
}

std::uint8_t GunzipSource::byte() {
  more_input();
  if (bits_.next >= end_) damaged("it ends early");
  return *bits_.next++;
}

// False at the end of the input.
bool GunzipSource::begin_member() {
  more_input();
  if (bits_.next == end_) {
    if (first_member_) damaged("it is empty");
    return false;
  }
  if (byte() != 0x1F || byte() != 0x8B || byte() != 8) damaged("what follows is no gzip");
  const unsigned flags = byte();
  for (int i = 0; i < 6; ++i) byte();  // time, level, system
  if ((flags & 4U) != 0) {
    unsigned extra = byte();
    extra |= static_cast<unsigned>(byte()) << 8U;
    while (extra-- > 0) byte();
  }
  for (const unsigned text : {8U, 16U})  // name, comment
    if ((flags & text) != 0)
      while (byte() != 0) {
      }
  if ((flags & 2U) != 0) byte(), byte();
  first_member_ = last_block_ = false;
  made_ = given_ = out_.data();  // nothing reaches back into the member before
  state_ = State::header_of_block;
  return true;
}

void GunzipSource::decode() {
  switch (state_) {
    case State::between:
      break;
    case State::header_of_block:
      begin_block();
      break;
    case State::stored:
      decode_stored();
      break;
    case State::coded:
      decode_coded();
      break;
    case State::trailer:
      align();
      for (int i = 0; i < 8; ++i) byte();
      state_ = State::between;
      break;
  }
}

void GunzipSource::begin_block() {
  if (last_block_) {
    state_ = State::trailer;
    return;
  }
  last_block_ = take(1) == 1;
  switch (take(2)) {
    case 0: {
      align();
      const auto low = byte(), high = byte(), not_low = byte(), not_high = byte();
      if ((low ^ not_low) != 0xFF || (high ^ not_high) != 0xFF) damaged("a stored block");
      stored_ = static_cast<std::uint32_t>(low | high << 8);
      state_ = State::stored;
      return;
    }
    case 1: {
      std::array<std::uint8_t, kLengthSymbols> lengths{};
      std::fill_n(lengths.begin(), 144, std::uint8_t{8});
      std::fill_n(lengths.begin() + 144, 112, std::uint8_t{9});
      std::fill_n(lengths.begin() + 256, 24, std::uint8_t{7});
      std::fill_n(lengths.begin() + 280, 8, std::uint8_t{8});
      codes_->lengths.build(lengths);
      std::array<std::uint8_t, kDistanceSymbols> distances{};
      distances.fill(5);
      codes_->distances.build(distances);
      break;
    }
    case 2:
      read_codes();
      break;
    default:
      damaged("a block of no known kind");
  }
  state_ = State::coded;
}

void GunzipSource::read_codes() {
  const std::size_t lengths = take(5) + 257, distances = take(5) + 1, codes = take(4) + 4;
  if (lengths > 286 || distances > 30) damaged("it has too many symbols");
  constexpr std::array<std::uint8_t, kCodeSymbols> order = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                            11, 4,  12, 3, 13, 2, 14, 1, 15};
  std::array<std::uint8_t, kCodeSymbols> of_codes{};
  for (std::size_t i = 0; i < codes; ++i) of_codes[order[i]] = static_cast<std::uint8_t>(take(3));
  codes_->codes.build(of_codes);

  std::array<std::uint8_t, 286 + 30> all{};
  const std::size_t wanted = lengths + distances;
  for (std::size_t i = 0; i < wanted;) {
    more_input();
    bits_.refill();
    const std::uint32_t found = codes_->codes.find(bits_);
    if ((found & kSpecial) != 0) damaged("a code that is none");
    const std::uint32_t symbol = found >> 16U;
    if (symbol < 16) {
      all[i++] = static_cast<std::uint8_t>(symbol);
      continue;
    }
    if (symbol == 16 && i == 0) damaged("a repetition of nothing");
    const std::uint8_t value = symbol == 16 ? all[i - 1] : std::uint8_t{0};
    const std::size_t times = symbol == 16   ? 3 + take(2)
                              : symbol == 17 ? 3 + take(3)
                                             : 11 + take(7);
    if (times > wanted - i) damaged("a repetition that is too long");
    std::fill_n(all.begin() + static_cast<std::ptrdiff_t>(i), times, value);
    i += times;
  }
  codes_->lengths.build(std::span(all).first(lengths));
  codes_->distances.build(std::span(all).subspan(lengths, distances));
}

void GunzipSource::decode_stored() {
  const auto room = static_cast<std::size_t>(out_.data() + kOutput - made_);
  std::size_t wanted = std::min<std::size_t>(room, stored_);
  while (wanted > 0) {
    more_input();
    const auto count = std::min(wanted, static_cast<std::size_t>(end_ - bits_.next));
    if (count == 0) damaged("it ends early");
    std::memcpy(made_, bits_.next, count);
    made_ += count;
    bits_.next += count;
    stored_ -= static_cast<std::uint32_t>(count);
    wanted -= count;
  }
  if (stored_ == 0) state_ = State::header_of_block;
}

// Until the block ends or the room does. What changes at each symbol is kept in registers: a byte
// that is written might be any member.
void GunzipSource::decode_coded() {
  const std::uint8_t* const room = out_.data() + kOutput;
  const auto& lengths = codes_->lengths;
  const auto& distances = codes_->distances;
  Bits bits = bits_;
  std::uint8_t* made = made_;
  const std::uint8_t* input_end = end_;
  while (made < room) {
    if (input_end - bits.next < static_cast<std::ptrdiff_t>(kSlack)) {
      bits_ = bits;
      more_input();
      bits = bits_;
      input_end = end_;
    }
    bits.refill();
    std::uint32_t found = lengths.find(bits);
    if ((found & kLiteral) != 0) {
      *made++ = static_cast<std::uint8_t>(found >> 16U);
      found = lengths.find(bits);
      if ((found & kLiteral) != 0) {
        *made++ = static_cast<std::uint8_t>(found >> 16U);
        found = lengths.find(bits);
        if ((found & kLiteral) != 0) {
          *made++ = static_cast<std::uint8_t>(found >> 16U);
          continue;
        }
      }
    }
    if ((found & kSpecial) != 0) {
      if (found >> 16U != 0) damaged("a code that is none");
      state_ = State::header_of_block;
      break;
    }
    bits.refill();
    const std::size_t length = (found >> 16U) + bits.take(found >> 8U & 31U);
    const std::uint32_t back = distances.find(bits);
    if ((back & kSpecial) != 0) damaged("a code that is none");
    const std::size_t distance = (back >> 16U) + bits.take(back >> 8U & 31U);
    if (distance > static_cast<std::size_t>(made - out_.data()))
      damaged("it reaches back before its begin");
    copy_match(made, distance, length);
    made += length;
  }
  bits_ = bits;
  made_ = made;
}

}  // namespace kbundle
