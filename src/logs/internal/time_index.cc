#include "logs/internal/time_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "sys/file.h"

namespace sampan::logs {

namespace {

constexpr uint64_t kMagic = 0x31784c6e61706d53;

struct Header {
  uint64_t magic = kMagic;
  uint64_t inode = 0;
};
struct Entry {
  int64_t offset = 0;
  int64_t newest_ns = 0;
};
static_assert(sizeof(Header) == 16 && sizeof(Entry) == 16);

/// The entries, when the index belongs to this file.
std::vector<Entry> read_entries(int fd, uint64_t inode) {
  std::vector<Entry> entries;
  Header header;
  struct stat info;
  if (::pread(fd, &header, sizeof header, 0) != sizeof header || header.magic != kMagic || header.inode != inode ||
      ::fstat(fd, &info) != 0 || info.st_size > (64 << 20)) {
    return entries;
  }
  entries.resize((static_cast<size_t>(info.st_size) - sizeof header) / sizeof(Entry));
  ssize_t got = ::pread(fd, entries.data(), entries.size() * sizeof(Entry), sizeof header);
  entries.resize(got > 0 ? static_cast<size_t>(got) / sizeof(Entry) : 0);
  return entries;
}

}  // namespace

std::string index_name(const std::string& log_path) {
  return log_path + ".idx";
}

void IndexWriter::open(const std::string& path, uint64_t inode, int64_t size, int64_t modified_ns) {
  path_ = path;
  inode_ = inode;
  file_.reset();
  newest_ns_ = size > 0 ? modified_ns : 0;
  next_ = kIndexStep;
  if (size == 0) return;
  next_ = size + kIndexStep;
  auto existing = sys::open_file(index_name(path), O_RDWR | O_APPEND | O_NOFOLLOW);
  if (!existing) return;
  auto entries = read_entries(existing->get(), inode);
  if (entries.empty() || entries.back().offset > size) return;
  newest_ns_ = std::max(newest_ns_, entries.back().newest_ns);
  next_ = std::max(entries.back().offset + kIndexStep, size);
  file_ = std::move(*existing);
}

bool IndexWriter::begin_file() {
  auto made = sys::open_file(index_name(path_), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW, 0640);
  if (!made) return false;
  Header header{.inode = inode_};
  if (::write(made->get(), &header, sizeof header) != sizeof header) return false;
  file_ = std::move(*made);
  return true;
}

void IndexWriter::note(int64_t size, int64_t newest_ns) {
  newest_ns_ = std::max(newest_ns_, newest_ns);
  if (size < next_) return;
  next_ = size + kIndexStep;
  if (!file_.valid() && !begin_file()) return;
  Entry entry{size, newest_ns_};
  // A full disk can tear the last entry, and what is appended behind it would be garbage: start again.
  if (::write(file_.get(), &entry, sizeof entry) != sizeof entry) file_.reset();
}

int64_t find_since(const std::string& path, uint64_t inode, int64_t size, int64_t since_ns) {
  auto file = sys::open_file(index_name(path), O_RDONLY | O_NOFOLLOW);
  if (!file) return 0;
  auto entries = read_entries(file->get(), inode);
  auto first = std::ranges::partition_point(entries, [&](const Entry& entry) { return entry.newest_ns < since_ns; });
  if (first == entries.begin()) return 0;
  int64_t offset = std::prev(first)->offset;
  return offset > 0 && offset <= size ? offset : 0;
}

}  // namespace sampan::logs
