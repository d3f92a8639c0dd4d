#pragma once
// image/tar_entry: one member of a tar archive as a value, and the limits that hold for every archive we touch.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sampan::image::tar {

inline constexpr size_t kBlock = 512;
inline constexpr size_t kMaxPath = 4096;
inline constexpr size_t kMaxComponent = 255;
inline constexpr size_t kMaxDepth = 512;
inline constexpr size_t kMaxLinkTarget = 4095;
inline constexpr uint64_t kMaxExtension = 1 << 20;  // one PAX header or GNU long name
inline constexpr size_t kMaxSparseParts = 64 << 10;
inline constexpr uint64_t kMaxEntries = 10'000'000;

/// The type flags of the header, those with a meaning for us.
enum class Type : char {
  File = '0',
  HardLink = '1',
  SymLink = '2',
  CharDevice = '3',
  BlockDevice = '4',
  Directory = '5',
  Fifo = '6',
};

struct Time {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};

struct Entry {
  Type type = Type::File;
  std::string name;   // bytes as in the archive: may be absolute, may hold ".."
  std::string link;   // target of a hard or symbolic link
  uint64_t size = 0;  // of the file once unpacked; 0 for anything but files
  uint32_t mode = 0;  // 07777 at most
  uint32_t uid = 0, gid = 0;
  uint32_t major = 0, minor = 0;
  Time mtime;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

}  // namespace sampan::image::tar
