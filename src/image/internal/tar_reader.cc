#include "image/internal/tar_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/strings.h"
#include "image/internal/tar_pax.h"

namespace sampan::image::tar {

namespace {

constexpr size_t kBuffer = 256 << 10;
constexpr std::string_view kPaxXattr = "SCHILY.xattr.";

size_t padding_of(uint64_t size) {
  return static_cast<size_t>((kBlock - size % kBlock) % kBlock);
}

Error truncated() {
  return fail(Code::InvalidArgument, "the tar archive is cut off (unexpected EOF)");
}

Result<uint32_t> parse_id(int64_t value, const char* what) {
  // The last one, (uid_t)-1, means "leave it" to chown.
  if (value < 0 || value >= std::numeric_limits<uint32_t>::max()) {
    return fail(Code::InvalidArgument, "{} {} is out of range", what, value);
  }
  return static_cast<uint32_t>(value);
}

Result<Type> parse_type(const Header& header) {
  switch (header.flag) {
    case '0':
    case '7':
    case 'S':
      return Type::File;
    case '\0':
      return header.name.ends_with('/') ? Type::Directory : Type::File;
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
      return static_cast<Type>(header.flag);
    default:
      return fail(Code::InvalidArgument, "unhandled tar header type {}", static_cast<int>(header.flag));
  }
}

}  // namespace

/// What extended headers said about the member that follows them.
struct Reader::Extensions {
  PaxRecords pax;
  std::optional<std::string> name, link;  // GNU
  bool any = false;
};

Reader::Reader(ByteSource& source) : source_(source), buffer_(kBuffer) {}

/// Makes at least `wanted` unread bytes available; false when the source ends before.
Result<bool> Reader::fill(size_t wanted) {
  if (end_ - begin_ >= wanted) return true;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (end_ < wanted) {
    size_t n = TRY(source_.read(std::span(buffer_).subspan(end_)));
    if (n == 0) return false;
    end_ += n;
  }
  return true;
}

/// One block; nullopt when the source ends where a block would begin.
Result<std::optional<std::string_view>> Reader::read_block() {
  if (!TRY(fill(kBlock))) {
    if (begin_ != end_) return truncated();
    return std::optional<std::string_view>();
  }
  std::string_view block(buffer_.data() + begin_, kBlock);
  begin_ += kBlock;
  return std::optional<std::string_view>(block);
}

Result<void> Reader::skip(uint64_t bytes) {
  while (bytes > 0) {
    if (!TRY(fill(1))) return truncated();
    size_t n = static_cast<size_t>(std::min<uint64_t>(bytes, end_ - begin_));
    begin_ += n;
    bytes -= n;
  }
  return {};
}

Result<void> Reader::drain() {
  do {
    begin_ = end_ = 0;
  } while (TRY(fill(1)));
  return {};
}

Result<std::string> Reader::read_extension(int64_t size) {
  if (size < 0 || static_cast<uint64_t>(size) > kMaxExtension) {
    return fail(Code::InvalidArgument, "an extended tar header of {} bytes; at most {} are allowed", size,
                kMaxExtension);
  }
  std::string body;
  auto left = static_cast<size_t>(size);
  while (left > 0) {
    if (!TRY(fill(1))) return truncated();
    size_t n = std::min(left, end_ - begin_);
    body.append(buffer_.data() + begin_, n);
    begin_ += n;
    left -= n;
  }
  TRY(skip(padding_of(static_cast<uint64_t>(size))));
  return body;
}

/// True when the header was about the next member and is now in `extensions`.
Result<bool> Reader::read_extended(const Header& header, Extensions& extensions) {
  auto text = [](std::string body) { return body.substr(0, std::min(body.find('\0'), body.size())); };
  switch (header.flag) {
    case 'x':
      extensions.pax = TRY(parse_pax(TRY(read_extension(header.size))));
      break;
    case 'L':
      extensions.name = text(TRY(read_extension(header.size)));
      break;
    case 'K':
      extensions.link = text(TRY(read_extension(header.size)));
      break;
    // Defaults for the whole archive: Docker reads and ignores them, so a layer must not mean more here.
    case 'g':
      TRY(read_extension(header.size));
      return true;
    default:
      return false;
  }
  extensions.any = true;
  return true;
}

Result<bool> Reader::next(Entry& entry) {
  TRY(skip(stored_ + padding_));
  stored_ = padding_ = 0;
  parts_.clear();
  Extensions extensions;
  for (;;) {
    auto block = TRY(read_block());
    if (!block || is_zero_block(*block)) {
      if (extensions.any) return truncated();
      if (!block) return false;
      auto second = TRY(read_block());
      if (second && !is_zero_block(*second))
        return fail(Code::InvalidArgument, "invalid tar header: data after an empty block");
      return false;
    }
    Header header = TRY(parse_header(*block));
    if (TRY(read_extended(header, extensions))) continue;
    if (++entries_ > kMaxEntries)
      return fail(Code::InvalidArgument, "more than {} entries in the archive", kMaxEntries);
    Block copy;  // the buffer moves on while the rest is read
    std::memcpy(copy.data(), block->data(), kBlock);
    std::string name = header.name;
    TRY_CONTEXT(make_entry(header, {copy.data(), copy.size()}, extensions, entry),
                fmt::format("tar entry \"{}\"", name));
    return true;
  }
}

Result<void> Reader::make_entry(const Header& header, std::string_view block, Extensions& extensions, Entry& entry) {
  entry = Entry();
  entry.type = TRY(parse_type(header));
  entry.name = extensions.name.value_or(header.name);
  entry.link = extensions.link.value_or(header.link);
  entry.mode = static_cast<uint32_t>(header.mode) & 07777;
  entry.mtime.seconds = header.mtime;
  int64_t uid = header.uid, gid = header.gid;
  for (const auto& [key, value] : extensions.pax) {
    if (key == "path" && !value.empty())
      entry.name = value;
    else if (key == "linkpath" && !value.empty())
      entry.link = value;
    else if (key == "uid" && !value.empty())
      uid = static_cast<int64_t>(TRY(parse_pax_number(value)));
    else if (key == "gid" && !value.empty())
      gid = static_cast<int64_t>(TRY(parse_pax_number(value)));
    else if (key == "mtime" && !value.empty())
      entry.mtime = TRY(parse_pax_time(value));
    else if (key.starts_with(kPaxXattr))
      entry.xattrs.emplace_back(key.substr(kPaxXattr.size()), value);
  }
  entry.uid = TRY(parse_id(uid, "uid"));
  entry.gid = TRY(parse_id(gid, "gid"));
  // The kernel's device numbers have 12 and 20 bits; more would be cut to another device.
  if (header.major < 0 || header.major > 0xfff || header.minor < 0 || header.minor > 0xfffff) {
    return fail(Code::InvalidArgument, "device {}:{} is out of range", header.major, header.minor);
  }
  entry.major = static_cast<uint32_t>(header.major);
  entry.minor = static_cast<uint32_t>(header.minor);
  return start_content(header, block, extensions, entry);
}

Result<void> Reader::start_content(const Header& header, std::string_view block, Extensions& extensions, Entry& entry) {
  if (header.size < 0) return fail(Code::InvalidArgument, "size {} is negative", header.size);
  auto size = static_cast<uint64_t>(header.size);
  for (const auto& [key, value] : extensions.pax) {
    if (key == "size" && !value.empty()) size = TRY(parse_pax_number(value));
  }
  // Links, directories and devices have no content, whatever their size field says.
  if (entry.type != Type::File) return {};
  stored_ = entry.size = size;
  padding_ = padding_of(size);
  part_ = 0;
  part_done_ = 0;
  auto pax = TRY(parse_pax_sparse(extensions.pax));
  if (header.flag == 'S') {
    int64_t real = TRY(parse_number(field_bytes(block, field::kGnuRealSize)));
    if (real < 0) return fail(Code::InvalidArgument, "size {} is negative", real);
    entry.size = static_cast<uint64_t>(real);
    parts_ = TRY(read_gnu_map(block));
  } else if (pax) {
    if (!pax->name.empty()) entry.name = pax->name;
    entry.size = pax->real_size;
    parts_ = pax->map_in_data ? TRY(read_map_in_data()) : std::move(pax->map);
  } else {
    parts_ = {{0, size}};
  }
  return validate_sparse(parts_, entry.size, stored_);
}

Result<SparseMap> Reader::read_gnu_map(std::string_view block) {
  SparseMap map;
  bool more = TRY(append_gnu_parts(block, false, map));
  while (more) {
    auto continuation = TRY(read_block());
    if (!continuation) return truncated();
    more = TRY(append_gnu_parts(*continuation, true, map));
  }
  return map;
}

/// PAX version 1.0: decimal lines before the content, "count", then "offset" and "size" of each part, filled up to a
/// block.
Result<SparseMap> Reader::read_map_in_data() {
  std::vector<uint64_t> numbers;
  std::string line;
  uint64_t wanted = 1;
  while (numbers.size() < wanted) {
    auto block = stored_ >= kBlock ? TRY(read_block()) : std::optional<std::string_view>();
    if (!block) return truncated();
    stored_ -= kBlock;
    for (char c : *block) {
      if (numbers.size() == wanted) break;
      if (c != '\n') {
        line += c;
        if (line.size() > 20) return fail(Code::InvalidArgument, "sparse map: not a number");
        continue;
      }
      numbers.push_back(TRY(parse_pax_number(line)));
      line.clear();
      if (numbers.size() != 1) continue;
      if (numbers[0] > kMaxSparseParts) return fail(Code::InvalidArgument, "a sparse file with {} parts", numbers[0]);
      wanted = 1 + 2 * numbers[0];
    }
  }
  SparseMap map;
  for (size_t i = 1; i + 1 < numbers.size(); i += 2) map.push_back({numbers[i], numbers[i + 1]});
  return map;
}

Result<Reader::Piece> Reader::read() {
  while (part_ < parts_.size() && part_done_ == parts_[part_].size) {
    ++part_;
    part_done_ = 0;
  }
  if (part_ >= parts_.size()) return Piece();
  if (!TRY(fill(1))) return truncated();
  const Part& part = parts_[part_];
  size_t n = static_cast<size_t>(std::min<uint64_t>(part.size - part_done_, end_ - begin_));
  Piece piece{part.offset + part_done_, std::string_view(buffer_.data() + begin_, n)};
  begin_ += n;
  part_done_ += n;
  stored_ -= n;
  return piece;
}

}  // namespace sampan::image::tar
