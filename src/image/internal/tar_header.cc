#include "image/internal/tar_header.h"

#include <algorithm>
#include <cstring>

namespace sampan::image::tar {
namespace {

Result<int64_t> parse_base256(std::string_view bytes) {
  // The first bit marks the form, the second is the sign of a two's complement number.
  bool negative = (static_cast<unsigned char>(bytes[0]) & 0x40) != 0;
  uint64_t value = negative ? ~uint64_t{0} : 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    auto byte = static_cast<unsigned char>(bytes[i]);
    if (i == 0) byte = negative ? static_cast<unsigned char>(byte | 0x80) : static_cast<unsigned char>(byte & 0x7f);
    uint64_t lost = value >> 55;  // the bits that would leave, and the sign that stays
    if (lost != (negative ? 0x1ffu : 0u)) return fail(Code::InvalidArgument, "a number field is out of range");
    value = (value << 8) | byte;
  }
  return static_cast<int64_t>(value);
}

void put(Block& block, Field field, std::string_view bytes) {
  std::memcpy(block.data() + field.offset, bytes.data(), std::min(bytes.size(), field.size));
}

void put_octal(Block& block, Field field, uint64_t value) {
  for (size_t i = field.size - 1; i-- > 0; value >>= 3) {
    block[field.offset + i] = static_cast<char>('0' + (value & 7));
  }
}

struct Sums {
  int64_t plain = 0, with_signs = 0;
};
Sums sum_bytes(std::string_view block) {
  Sums sums;
  for (size_t i = 0; i < block.size(); ++i) {
    bool own = i >= field::kChecksum.offset && i < field::kChecksum.offset + field::kChecksum.size;
    char byte = own ? ' ' : block[i];
    sums.plain += static_cast<unsigned char>(byte);
    sums.with_signs += static_cast<signed char>(byte);
  }
  return sums;
}

}  // namespace

std::string_view field_bytes(std::string_view block, Field field) {
  return block.substr(field.offset, field.size);
}

std::string field_text(std::string_view block, Field field) {
  std::string_view bytes = field_bytes(block, field);
  return std::string(bytes.substr(0, std::min(bytes.find('\0'), bytes.size())));
}

Result<int64_t> parse_number(std::string_view bytes) {
  if (!bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0x80)) return parse_base256(bytes);
  constexpr std::string_view kBlank(" \0", 2);
  size_t begin = bytes.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return 0;
  bytes = bytes.substr(begin);
  bytes = bytes.substr(0, std::min(bytes.find_first_of(kBlank), bytes.size()));
  uint64_t value = 0;
  for (char digit : bytes) {
    if (digit < '0' || digit > '7') return fail(Code::InvalidArgument, "a number field is not octal");
    if (value >> 60) return fail(Code::InvalidArgument, "a number field is out of range");
    value = value * 8 + static_cast<uint64_t>(digit - '0');
  }
  return static_cast<int64_t>(value);
}

bool is_zero_block(std::string_view block) {
  return block.find_first_not_of('\0') == std::string_view::npos;
}

bool checksum_matches(std::string_view block) {
  auto stored = parse_number(field_bytes(block, field::kChecksum));
  if (!stored) return false;
  Sums sums = sum_bytes(block);
  return *stored == sums.plain || *stored == sums.with_signs;
}

Result<Header> parse_header(std::string_view block) {
  if (!checksum_matches(block)) return fail(Code::InvalidArgument, "invalid tar header: the checksum does not match");
  Header header;
  header.flag = block[field::kType.offset];
  std::string_view magic = field_bytes(block, field::kMagic);
  header.gnu = magic == std::string_view("ustar  \0", 8);
  header.name = field_text(block, field::kName);
  header.link = field_text(block, field::kLink);
  header.mode = TRY_CONTEXT(parse_number(field_bytes(block, field::kMode)), "mode");
  header.uid = TRY_CONTEXT(parse_number(field_bytes(block, field::kUid)), "uid");
  header.gid = TRY_CONTEXT(parse_number(field_bytes(block, field::kGid)), "gid");
  header.size = TRY_CONTEXT(parse_number(field_bytes(block, field::kSize)), "size");
  header.mtime = TRY_CONTEXT(parse_number(field_bytes(block, field::kMtime)), "mtime");
  if (!magic.starts_with("ustar")) return header;  // version 7: nothing more in it
  if (header.flag == '3' || header.flag == '4') {
    header.major = TRY_CONTEXT(parse_number(field_bytes(block, field::kMajor)), "device");
    header.minor = TRY_CONTEXT(parse_number(field_bytes(block, field::kMinor)), "device");
  }
  // GNU keeps other things where POSIX has the prefix.
  std::string prefix = header.gnu ? std::string() : field_text(block, field::kPrefix);
  if (!prefix.empty()) header.name = prefix + "/" + header.name;
  return header;
}

bool fits_octal(uint64_t value, Field field) {
  return (value >> (3 * (field.size - 1))) == 0;
}

std::optional<size_t> split_name(std::string_view name) {
  // A slash with at most 155 bytes before it and 1..100 bytes after it; a trailing one does not count.
  size_t from = name.size() > field::kName.size + 1 ? name.size() - field::kName.size - 1 : 0;
  size_t slash = name.find('/', from);
  if (slash == std::string_view::npos || slash == 0 || slash > field::kPrefix.size || slash + 1 >= name.size())
    return std::nullopt;
  return slash;
}

Block format_header(const Entry& entry, char flag) {
  Block block{};
  std::string_view name = entry.name;
  if (name.size() > field::kName.size) {
    if (auto slash = split_name(name)) {
      put(block, field::kPrefix, name.substr(0, *slash));
      name = name.substr(*slash + 1);
    }
  }
  put(block, field::kName, name);
  put(block, field::kLink, entry.link);
  put_octal(block, field::kMode, entry.mode);
  put_octal(block, field::kUid, fits_octal(entry.uid, field::kUid) ? entry.uid : 0);
  put_octal(block, field::kGid, fits_octal(entry.gid, field::kGid) ? entry.gid : 0);
  put_octal(block, field::kSize, fits_octal(entry.size, field::kSize) ? entry.size : 0);
  auto mtime = static_cast<uint64_t>(std::max<int64_t>(entry.mtime.seconds, 0));
  put_octal(block, field::kMtime, fits_octal(mtime, field::kMtime) ? mtime : 0);
  block[field::kType.offset] = flag;
  put(block, field::kMagic,
      std::string_view("ustar\0"
                       "00",
                       8));
  put_octal(block, field::kMajor, entry.major);
  put_octal(block, field::kMinor, entry.minor);
  auto sum = static_cast<uint64_t>(sum_bytes({block.data(), block.size()}).plain);
  put_octal(block, {field::kChecksum.offset, 7}, sum);
  block[field::kChecksum.offset + 7] = ' ';
  return block;
}

}  // namespace sampan::image::tar
