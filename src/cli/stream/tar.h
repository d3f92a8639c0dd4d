#pragma once
// cli/stream/tar: tar archives, written and read as streams: ustar headers with PAX records where ustar is too small.
// The build context and cp are all that needs them.

#include <sys/stat.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "sys/fd.h"

namespace sampan::cli {

struct TarEntry {
  enum class Type : char {
    File = '0',
    HardLink = '1',
    Symlink = '2',
    CharDevice = '3',
    BlockDevice = '4',
    Directory = '5',
    Fifo = '6'
  };
  std::string name;
  Type type = Type::File;
  unsigned mode = 0644;
  int64_t uid = 0, gid = 0;
  uint64_t size = 0;
  int64_t mtime = 0;
  std::string link;
  unsigned major = 0, minor = 0;
  std::map<std::string, std::string> xattrs;
};

/// The header blocks of an entry, PAX records included.
std::string format_tar_header(const TarEntry& entry);

/// One thing to put into an archive: a path on disk, or a text.
struct ArchiveItem {
  std::string name;
  std::string disk_path;  // empty: `content` is the file
  std::string content;
  struct stat info = {};
};

/// Everything below `directory`, in order of names, as items named `prefix`/... The directory itself is the first item
/// unless prefix is empty. `keep` answers for each relative path whether it goes in, `enter` whether a directory that
/// does not is still looked into.
struct TreeFilter {
  std::function<bool(const std::string& relative)> keep = [](const std::string&) { return true; };
  std::function<bool(const std::string& relative)> enter = [](const std::string&) { return true; };
};
Result<std::vector<ArchiveItem>> list_tree(const std::string& directory, const std::string& prefix,
                                           const TreeFilter& filter = {});

enum class Owner { Keep, Root };

/// The items as a tar stream. A file that shrinks while it is read is an error; sockets are left out.
class ArchiveSource final : public ByteSource {
 public:
  ArchiveSource(std::vector<ArchiveItem> items, Owner owner) : items_(std::move(items)), owner_(owner) {}
  Result<size_t> read(std::span<char> buffer) override;
  /// Bytes of files, without headers.
  uint64_t content_size() const;

 private:
  Result<void> begin_item();
  Result<void> read_file_piece(std::span<char> buffer, size_t& count);

  std::vector<ArchiveItem> items_;
  Owner owner_;
  size_t next_ = 0;
  std::string pending_;  // headers, padding, texts
  sys::Fd file_;
  std::string file_path_;
  uint64_t file_left_ = 0;
  size_t padding_ = 0;
  bool ended_ = false;
  std::map<std::pair<dev_t, ino_t>, std::string> hard_links_;
};

/// Reads a tar stream piece by piece.
class TarReader {
 public:
  struct Events {
    std::function<Result<void>(const TarEntry&)> entry;
    std::function<Result<void>(std::string_view)> content;  // of the file that was announced last
    std::function<Result<void>()> end_of_entry;
  };
  explicit TarReader(Events events) : events_(std::move(events)) {}
  /// Errors: InvalidArgument (not a tar archive), or an event's.
  Result<void> feed(std::string_view bytes);
  /// Errors: InvalidArgument when the archive is cut off.
  Result<void> finish() const;

 private:
  Result<void> take_header(std::string_view block);
  Result<void> end_content();

  Events events_;
  std::string block_;  // an incomplete header
  uint64_t content_left_ = 0, padding_left_ = 0;
  char metadata_ = 0;  // 'x', 'L', 'K': the content is about the next entry
  std::string metadata_text_;
  std::map<std::string, std::string> records_;  // for the next entry
  bool ended_ = false;
};

}  // namespace sampan::cli
