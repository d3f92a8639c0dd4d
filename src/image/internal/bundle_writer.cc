#include "image/internal/bundle_writer.h"

#include <cstring>

namespace sampan::image {
namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kOctalLimit = int64_t{1} << 33;

struct UstarHeader {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
      user[32], group[32], major[8], minor[8], prefix[155], padding[12];
};
static_assert(sizeof(UstarHeader) == kBlock);

void put_size(UstarHeader& header, int64_t size) {
  if (size < kOctalLimit) {
    fmt::format_to_n(header.size, sizeof header.size - 1, "{:011o}", size);
    return;
  }
  header.size[0] = static_cast<char>(0x80);
  for (int i = 11; i > 3; --i, size >>= 8) header.size[i] = static_cast<char>(size & 0xff);
}

}  // namespace

Result<void> BundleWriter::header(const std::string& name, int64_t size, char type) {
  if (name.size() >= sizeof(UstarHeader::name)) return fail(Code::Internal, "archive member name too long: {}", name);
  UstarHeader header;
  std::memset(&header, 0, sizeof header);
  std::memcpy(header.name, name.data(), name.size());
  std::memcpy(header.mode, type == '5' ? "0000755" : "0000644", 7);
  std::memcpy(header.uid, "0000000", 7);
  std::memcpy(header.gid, "0000000", 7);
  std::memcpy(header.mtime, "00000000000", 11);
  put_size(header, size);
  header.type = type;
  std::memcpy(header.magic, "ustar", 5);
  std::memcpy(header.version, "00", 2);
  std::memset(header.checksum, ' ', sizeof header.checksum);
  unsigned sum = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  for (int64_t i = 0; i < kBlock; ++i) sum += bytes[i];
  fmt::format_to_n(header.checksum, 6, "{:06o}", sum);
  header.checksum[6] = '\0';
  return out_.write({reinterpret_cast<const char*>(&header), sizeof header});
}

Result<void> BundleWriter::add_directory(const std::string& name) {
  return header(name + "/", 0, '5');
}

Result<void> BundleWriter::begin_file(const std::string& name, int64_t size) {
  left_ = size_ = size;
  return header(name, size, '0');
}

Result<void> BundleWriter::write(std::string_view bytes) {
  left_ -= static_cast<int64_t>(bytes.size());
  if (left_ < 0) return fail(Code::DataLoss, "layer is longer than it was");
  return out_.write(bytes);
}

Result<void> BundleWriter::end_file() {
  if (left_ != 0) return fail(Code::DataLoss, "layer is {} bytes shorter than it was", left_);
  size_t rest = static_cast<size_t>((kBlock - size_ % kBlock) % kBlock);
  return out_.write(std::string(rest, '\0'));
}

Result<void> BundleWriter::add_file(const std::string& name, std::string_view content) {
  TRY(begin_file(name, static_cast<int64_t>(content.size())));
  TRY(write(content));
  return end_file();
}

Result<void> BundleWriter::finish() {
  return out_.write(std::string(2 * kBlock, '\0'));
}

}  // namespace sampan::image
