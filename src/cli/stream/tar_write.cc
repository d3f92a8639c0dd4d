#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "cli/stream/tar.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/tree.h"

namespace sampan::cli {

namespace {

constexpr size_t kBlock = 512;

size_t padding_of(uint64_t size) {
  return static_cast<size_t>((kBlock - size % kBlock) % kBlock);
}

void put_text(std::string& block, size_t at, size_t width, std::string_view text) {
  block.replace(at, std::min(width, text.size()), text.substr(0, width));
}

// Octal digits ending in NUL; what does not fit is in a PAX record, and 0 here.
void put_octal(std::string& block, size_t at, size_t width, uint64_t value) {
  uint64_t largest = (uint64_t{1} << ((width - 1) * 3)) - 1;
  put_text(block, at, width - 1, fmt::format("{:0{}o}", value > largest ? 0 : value, width - 1));
}

// "LENGTH key=value\n", where LENGTH counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) length = std::to_string(length).size() + rest;
  return fmt::format("{} {}={}\n", length, key, value);
}

std::string ustar_block(const TarEntry& entry, std::string_view name, char type, uint64_t size) {
  std::string block(kBlock, '\0');
  put_text(block, 0, 100, name);
  put_octal(block, 100, 8, entry.mode);
  put_octal(block, 108, 8, static_cast<uint64_t>(entry.uid));
  put_octal(block, 116, 8, static_cast<uint64_t>(entry.gid));
  put_octal(block, 124, 12, size);
  put_octal(block, 136, 12, static_cast<uint64_t>(std::max<int64_t>(entry.mtime, 0)));
  put_text(block, 148, 8, "        ");
  block[156] = type;
  put_text(block, 157, 100, entry.link);
  put_text(block, 257, 8, std::string_view("ustar\00000", 8));
  put_octal(block, 329, 8, entry.major);
  put_octal(block, 337, 8, entry.minor);
  unsigned sum = 0;
  for (char c : block) sum += static_cast<unsigned char>(c);
  put_text(block, 148, 8, fmt::format("{:06o}{} ", sum, '\0'));
  return block;
}

std::string pax_records(const TarEntry& entry) {
  std::string out;
  constexpr int64_t kLargestId = 07777777;
  if (entry.name.size() > 100) out += pax_record("path", entry.name);
  if (entry.link.size() > 100) out += pax_record("linkpath", entry.link);
  if (entry.size > 077777777777) out += pax_record("size", std::to_string(entry.size));
  if (entry.uid > kLargestId) out += pax_record("uid", std::to_string(entry.uid));
  if (entry.gid > kLargestId) out += pax_record("gid", std::to_string(entry.gid));
  if (entry.mtime < 0) out += pax_record("mtime", std::to_string(entry.mtime));
  for (const auto& [name, value] : entry.xattrs) out += pax_record("SCHILY.xattr." + name, value);
  return out;
}

TarEntry::Type type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return TarEntry::Type::Directory;
    case S_IFLNK:
      return TarEntry::Type::Symlink;
    case S_IFCHR:
      return TarEntry::Type::CharDevice;
    case S_IFBLK:
      return TarEntry::Type::BlockDevice;
    case S_IFIFO:
      return TarEntry::Type::Fifo;
    default:
      return TarEntry::Type::File;
  }
}

Result<void> list_into(const std::string& directory, const std::string& relative, const std::string& prefix,
                       const TreeFilter& filter, std::vector<ArchiveItem>& out) {
  std::string here = relative.empty() ? directory : directory + "/" + relative;
  for (const std::string& name : TRY(sys::list_dir(here))) {
    std::string path = relative.empty() ? name : relative + "/" + name;
    ArchiveItem item;
    item.name = prefix.empty() ? path : prefix + "/" + path;
    item.disk_path = directory + "/" + path;
    if (::lstat(item.disk_path.c_str(), &item.info) < 0) {
      if (errno == ENOENT) continue;  // gone between listing and looking
      return sys::sys_error("lstat", item.disk_path);
    }
    bool kept = filter.keep(path), is_directory = S_ISDIR(item.info.st_mode);
    if (kept && !S_ISSOCK(item.info.st_mode)) out.push_back(std::move(item));
    if (is_directory && (kept || filter.enter(path))) TRY(list_into(directory, path, prefix, filter, out));
  }
  return {};
}

}  // namespace

std::string format_tar_header(const TarEntry& entry) {
  std::string out, records = pax_records(entry);
  if (!records.empty()) {
    TarEntry about;
    out += ustar_block(about, "PaxHeaders/" + entry.name.substr(0, 80), 'x', records.size());
    out += records + std::string(padding_of(records.size()), '\0');
  }
  return out + ustar_block(entry, entry.name, static_cast<char>(entry.type), entry.size);
}

Result<std::vector<ArchiveItem>> list_tree(const std::string& directory, const std::string& prefix,
                                           const TreeFilter& filter) {
  std::vector<ArchiveItem> out;
  if (!prefix.empty()) {
    ArchiveItem top{prefix, directory, {}, {}};
    if (::stat(directory.c_str(), &top.info) < 0) return sys::sys_error("stat", directory);
    out.push_back(std::move(top));
  }
  TRY(list_into(directory, "", prefix, filter, out));
  return out;
}

uint64_t ArchiveSource::content_size() const {
  uint64_t total = 0;
  for (const ArchiveItem& item : items_) {
    if (item.disk_path.empty())
      total += item.content.size();
    else if (S_ISREG(item.info.st_mode))
      total += static_cast<uint64_t>(item.info.st_size);
  }
  return total;
}

// Opens the next item and puts its header into pending_.
Result<void> ArchiveSource::begin_item() {
  const ArchiveItem& item = items_[next_++];
  TarEntry entry;
  entry.name = item.name;
  if (item.disk_path.empty()) {
    entry.size = item.content.size();
    pending_ = format_tar_header(entry) + item.content + std::string(padding_of(entry.size), '\0');
    return {};
  }
  entry.type = type_of(item.info.st_mode);
  entry.mode = item.info.st_mode & 07777;
  entry.mtime = item.info.st_mtim.tv_sec;
  if (owner_ == Owner::Keep) {
    entry.uid = item.info.st_uid;
    entry.gid = item.info.st_gid;
  }
  if (entry.type == TarEntry::Type::Directory) entry.name += '/';
  if (entry.type == TarEntry::Type::Symlink) entry.link = TRY(sys::read_link(item.disk_path));
  if (entry.type == TarEntry::Type::CharDevice || entry.type == TarEntry::Type::BlockDevice) {
    entry.major = major(item.info.st_rdev);
    entry.minor = minor(item.info.st_rdev);
  }
  if (entry.type == TarEntry::Type::File) {
    auto [known, added] = hard_links_.try_emplace({item.info.st_dev, item.info.st_ino}, item.name);
    if (!added && item.info.st_nlink > 1) {
      entry.type = TarEntry::Type::HardLink;
      entry.link = known->second;
    } else {
      file_ = TRY(sys::open_file(item.disk_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
      file_path_ = item.disk_path;
      entry.size = file_left_ = static_cast<uint64_t>(item.info.st_size);
      padding_ = padding_of(entry.size);
      std::string capability = TRY(sys::read_xattr(file_.get(), "security.capability"));
      if (!capability.empty()) entry.xattrs["security.capability"] = capability;
    }
  }
  pending_ = format_tar_header(entry);
  return {};
}

Result<void> ArchiveSource::read_file_piece(std::span<char> buffer, size_t& count) {
  count = TRY(sys::read_some(file_.get(), buffer.first(std::min<uint64_t>(buffer.size(), file_left_))));
  if (count == 0) return fail(Code::DataLoss, "file \"{}\" became shorter while it was read", file_path_);
  file_left_ -= count;
  return {};
}

Result<size_t> ArchiveSource::read(std::span<char> buffer) {
  while (pending_.empty()) {
    if (file_left_ > 0) {
      size_t count = 0;
      TRY(read_file_piece(buffer, count));
      if (file_left_ == 0) pending_.assign(std::exchange(padding_, 0), '\0');
      return count;
    }
    file_.reset();
    if (next_ < items_.size()) {
      TRY(begin_item());
    } else if (ended_) {
      return 0;
    } else {
      ended_ = true;
      pending_.assign(2 * kBlock, '\0');
    }
  }
  size_t count = std::min(buffer.size(), pending_.size());
  pending_.copy(buffer.data(), count);
  pending_.erase(0, count);
  return count;
}

}  // namespace sampan::cli
