#include "image/internal/tar_writer.h"

#include <algorithm>

#include "image/internal/tar_header.h"
#include "image/internal/tar_pax.h"

namespace sampan::image::tar {
namespace {

constexpr size_t kBuffer = 256 << 10;

/// The records that the entry needs; keys in a fixed order.
std::string pax_records(const Entry& entry) {
  std::string body;
  if (!fits_octal(entry.gid, field::kGid)) body += format_pax_record("gid", std::to_string(entry.gid));
  if (entry.link.size() > field::kLink.size) body += format_pax_record("linkpath", entry.link);
  if (entry.mtime.seconds < 0 || !fits_octal(static_cast<uint64_t>(entry.mtime.seconds), field::kMtime)) {
    body += format_pax_record("mtime", std::to_string(entry.mtime.seconds));
  }
  if (entry.name.size() > field::kName.size && !split_name(entry.name)) body += format_pax_record("path", entry.name);
  if (!fits_octal(entry.size, field::kSize)) body += format_pax_record("size", std::to_string(entry.size));
  if (!fits_octal(entry.uid, field::kUid)) body += format_pax_record("uid", std::to_string(entry.uid));
  for (const auto& [name, value] : entry.xattrs) {
    // "=" ends the key: such a name cannot be written.
    if (name.find('=') == std::string::npos) body += format_pax_record("SCHILY.xattr." + name, value);
  }
  return body;
}

Entry pax_header(const Entry& entry, size_t size) {
  Entry header;
  std::string_view name = entry.name;
  if (name.ends_with('/')) name.remove_suffix(1);
  size_t slash = name.rfind('/');
  std::string_view base = slash == std::string_view::npos ? name : name.substr(slash + 1);
  header.name = fmt::format("PaxHeaders.0/{}", base.substr(0, 80));
  header.size = size;
  return header;
}

}  // namespace

Result<void> Writer::add(Entry entry) {
  if (entry.type == Type::Directory && !entry.name.ends_with('/')) entry.name += '/';
  if (std::string body = pax_records(entry); !body.empty()) {
    Block block = format_header(pax_header(entry, body.size()), 'x');
    TRY(write({block.data(), block.size()}));
    TRY(write(body));
    TRY(write_zeros((kBlock - body.size() % kBlock) % kBlock));
  }
  Block block = format_header(entry, static_cast<char>(entry.type));
  missing_ = entry.size;
  padding_ = (kBlock - entry.size % kBlock) % kBlock;
  return write({block.data(), block.size()});
}

Result<void> Writer::content(std::string_view bytes) {
  TRY(write(bytes));
  missing_ -= bytes.size();
  if (missing_ == 0) TRY(write_zeros(std::exchange(padding_, 0)));
  return {};
}

Result<void> Writer::fill_content() {
  TRY(write_zeros(std::exchange(missing_, 0)));
  return write_zeros(std::exchange(padding_, 0));
}

Result<void> Writer::finish() {
  TRY(write_zeros(2 * kBlock));
  return flush();
}

Result<void> Writer::write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kBuffer) TRY(flush());
  if (bytes.size() >= kBuffer / 2) return sink_.write(bytes);
  buffer_ += bytes;
  return {};
}

Result<void> Writer::write_zeros(uint64_t count) {
  static constexpr char kZeros[4096] = {};
  while (count > 0) {
    size_t n = static_cast<size_t>(std::min<uint64_t>(count, sizeof kZeros));
    TRY(write({kZeros, n}));
    count -= n;
  }
  return {};
}

Result<void> Writer::flush() {
  if (buffer_.empty()) return {};
  TRY(sink_.write(buffer_));
  buffer_.clear();
  return {};
}

}  // namespace sampan::image::tar
