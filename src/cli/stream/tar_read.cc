#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "cli/stream/tar.h"

namespace sampan::cli {

namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kMaxMetadata = 1 << 20;

Error broken(const char* what) {
  return fail(Code::InvalidArgument, "invalid tar archive: {}", what);
}

std::string text_field(std::string_view block, size_t at, size_t width) {
  std::string_view field = block.substr(at, width);
  return std::string(field.substr(0, field.find('\0')));
}

// Octal text, or big-endian binary when the first bit is set.
Result<uint64_t> number_field(std::string_view block, size_t at, size_t width) {
  std::string_view field = block.substr(at, width);
  uint64_t value = 0;
  if (field[0] & 0x80) {
    for (size_t i = 1; i < width; ++i) {
      if (value >> 55) return broken("number too large");
      value = value << 8 | static_cast<unsigned char>(field[i]);
    }
    return value;
  }
  for (char c : field) {
    if (c == ' ' || c == '\0') continue;
    if (c < '0' || c > '7') return broken("bad number");
    value = value * 8 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

bool checksum_matches(std::string_view block, uint64_t wanted) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
  return sum == wanted;
}

}  // namespace

Result<void> TarReader::feed(std::string_view bytes) {
  while (!bytes.empty() && !ended_) {
    if (content_left_ > 0) {
      std::string_view piece = bytes.substr(0, content_left_);
      if (metadata_)
        metadata_text_ += piece;
      else
        TRY(events_.content(piece));
      content_left_ -= piece.size();
      bytes.remove_prefix(piece.size());
      if (content_left_ == 0) TRY(end_content());
    } else if (padding_left_ > 0) {
      size_t count = std::min<uint64_t>(padding_left_, bytes.size());
      padding_left_ -= count;
      bytes.remove_prefix(count);
    } else {
      size_t count = std::min(kBlock - block_.size(), bytes.size());
      block_ += bytes.substr(0, count);
      bytes.remove_prefix(count);
      if (block_.size() == kBlock) TRY(take_header(std::exchange(block_, {})));
    }
  }
  return {};
}

Result<void> TarReader::finish() const {
  if (content_left_ > 0 || !block_.empty()) return broken("unexpected end");
  return {};
}

Result<void> TarReader::take_header(std::string_view block) {
  if (block.find_first_not_of('\0') == std::string_view::npos) {
    ended_ = true;
    return {};
  }
  if (!checksum_matches(block, TRY(number_field(block, 148, 8)))) return broken("bad checksum");
  uint64_t size = TRY(number_field(block, 124, 12));
  char type = block[156] == '\0' ? '0' : block[156];
  metadata_ = type == 'x' || type == 'L' || type == 'K' || type == 'g' ? type : '\0';
  if (!metadata_) {
    TarEntry entry;
    entry.name = text_field(block, 0, 100);
    std::string prefix = block.substr(257, 6) == std::string_view("ustar\0", 6) ? text_field(block, 345, 155) : "";
    if (!prefix.empty()) entry.name = prefix + "/" + entry.name;
    entry.type = static_cast<TarEntry::Type>(type == '7' ? '0' : type);
    entry.mode = static_cast<unsigned>(TRY(number_field(block, 100, 8))) & 07777;
    entry.uid = static_cast<int64_t>(TRY(number_field(block, 108, 8)));
    entry.gid = static_cast<int64_t>(TRY(number_field(block, 116, 8)));
    entry.mtime = static_cast<int64_t>(TRY(number_field(block, 136, 12)));
    entry.link = text_field(block, 157, 100);
    entry.major = static_cast<unsigned>(TRY(number_field(block, 329, 8)));
    entry.minor = static_cast<unsigned>(TRY(number_field(block, 337, 8)));
    if (records_.contains("path")) entry.name = records_["path"];
    if (records_.contains("linkpath")) entry.link = records_["linkpath"];
    if (auto id = parse_int(records_["uid"])) entry.uid = *id;
    if (auto id = parse_int(records_["gid"])) entry.gid = *id;
    if (auto number = parse_uint(records_["size"])) size = *number;
    if (auto time = parse_int(records_["mtime"].substr(0, records_["mtime"].find('.')))) entry.mtime = *time;
    records_.clear();
    if (entry.type != TarEntry::Type::File) size = 0;  // links carry a size in some archives, but no content
    entry.size = size;
    TRY(events_.entry(entry));
  } else if (size > kMaxMetadata) {
    return broken("too much metadata");
  }
  content_left_ = size;
  padding_left_ = (kBlock - size % kBlock) % kBlock;
  if (size == 0) return end_content();
  return {};
}

Result<void> TarReader::end_content() {
  if (!metadata_) return events_.end_of_entry();
  std::string text = std::exchange(metadata_text_, {});
  char kind = std::exchange(metadata_, '\0');
  if (kind == 'L' || kind == 'K') {
    records_[kind == 'L' ? "path" : "linkpath"] = text.c_str();
    return {};
  }
  if (kind == 'g') return {};
  std::string_view rest = text;
  while (!rest.empty()) {
    auto length = parse_uint(rest.substr(0, rest.find(' ')));
    if (!length || *length == 0 || *length > rest.size()) return broken("bad PAX record");
    std::string_view record = rest.substr(0, *length);
    rest.remove_prefix(*length);
    record.remove_prefix(std::min(record.size(), record.find(' ') + 1));
    if (record.ends_with('\n')) record.remove_suffix(1);
    auto pair = split_once(record, '=');
    if (pair) records_[std::string(pair->first)] = std::string(pair->second);
  }
  return {};
}

}  // namespace sampan::cli
