#pragma once
// image/tar_header: the 512 bytes of a tar header: number fields, checksum, names. Pure.
// Source: POSIX.1-2017 pax "ustar Interchange Format"; GNU tar manual "Basic Tar Format".

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "image/internal/tar_entry.h"

namespace sampan::image::tar {

using Block = std::array<char, kBlock>;

struct Field {
  size_t offset, size;
};
namespace field {
inline constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kMtime{136, 12},
    kChecksum{148, 8}, kType{156, 1}, kLink{157, 100}, kMagic{257, 8}, kMajor{329, 8}, kMinor{337, 8},
    kPrefix{345, 155}, kGnuSparse{386, 96}, kGnuExtended{482, 1}, kGnuRealSize{483, 12};
}  // namespace field

std::string_view field_bytes(std::string_view block, Field field);
/// The bytes up to the first NUL.
std::string field_text(std::string_view block, Field field);
/// Octal with blanks around it, or base-256. Errors: InvalidArgument (other characters, over 64 bits).
Result<int64_t> parse_number(std::string_view bytes);

bool is_zero_block(std::string_view block);
/// True when the checksum is the sum of the bytes, taken unsigned or, as some old programs did, signed.
bool checksum_matches(std::string_view block);

/// The fixed fields; name with its prefix. Extended headers ('x', 'L', ...) are told by `flag`.
struct Header {
  char flag = '0';
  bool gnu = false;
  std::string name, link;
  int64_t size = 0, mode = 0, uid = 0, gid = 0, mtime = 0, major = 0, minor = 0;
};
Result<Header> parse_header(std::string_view block);

/// Writes the header of an entry whose fields all fit (`fits_*`); the checksum is set.
Block format_header(const Entry& entry, char flag);
/// Octal into a field with a closing NUL; false when it does not fit.
bool fits_octal(uint64_t value, Field field);
/// Where to split a name that is longer than the name field into prefix and name; nullopt when it cannot be.
std::optional<size_t> split_name(std::string_view name);

}  // namespace sampan::image::tar
