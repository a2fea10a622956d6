// gzip (RFC 1952, RFC 1951) as a stream, in half the time that zlib takes: most of what loading
// images costs is this. Debian has no library that is as fast, works on streams and links
// statically. The parts are those of every fast decoder: 64 bits of input at a time, tables that
// give a symbol in one or two looks, copies of words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/stream.hpp"

namespace kbundle {

class GunzipSource final : public Source {
 public:
  /// Gives the next compressed bytes, 0 only at the end.
  using Input = std::function<std::size_t(std::span<std::byte>)>;
  explicit GunzipSource(Input input);

  /// One member behind another, to the end of the input. Error{verification} for what is no gzip.
  /// The members' CRC-32 and length are passed over: the caller compares a SHA-256 of all.
  std::size_t read(std::span<std::byte> buffer) override;

  /// The input by bits.
  struct Bits {
    const std::uint8_t* next = nullptr;
    std::uint64_t word = 0;  ///< the bits before `next` that were not taken, lowest first
    unsigned count = 0;      ///< how many
    void refill();
    void drop(unsigned bits);
    std::uint32_t take(unsigned bits);
  };
  /// Symbols by the next bits of the input. An entry: the bits it takes, what it is, its value.
  template <unsigned kMainBits, std::size_t kSymbols>
  class Table;

 private:
  enum class State { between, header_of_block, stored, coded, trailer };

  void more_input();
  std::uint32_t take(unsigned bits);
  void align();
  std::uint8_t byte();
  bool begin_member();
  void begin_block();
  void read_codes();
  void decode();
  void decode_stored();
  void decode_coded();

  Input input_;
  State state_ = State::between;
  bool last_block_ = false, first_member_ = true, at_end_ = false;
  std::uint32_t stored_ = 0;  // bytes left of a stored block

  std::vector<std::uint8_t> in_;
  Bits bits_;                          // of in_
  const std::uint8_t* end_ = nullptr;  // of what was read; zeros lie behind it at the input's end

  std::vector<std::uint8_t> out_;  // 32 KiB that matches reach back to, and what is made
  std::uint8_t* made_ = nullptr;   // end of what was made
  std::uint8_t* given_ = nullptr;  // end of what read() gave

  struct Codes;
  std::shared_ptr<Codes> codes_;
};

}  // namespace kbundle
