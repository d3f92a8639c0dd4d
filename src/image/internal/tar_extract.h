#pragma once
// image/tar_extract: puts the members of an archive below a root descriptor. See archive.h for the rules.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "image/archive.h"
#include "image/internal/tar_reader.h"
#include "sys/fd.h"

namespace sampan::image::tar {

/// The directories that were used last, by their clean names: most members sit beside the previous one. A name may come
/// to mean another directory only when a directory or a link is removed, and then all is forgotten.
class DirCache {
 public:
  using Dir = std::shared_ptr<const sys::DirFd>;
  /// Null when the name is not held.
  Dir find(const std::string& name) const;
  Dir insert(const std::string& name, sys::DirFd dir);
  void clear() { dirs_.clear(); }

 private:
  std::unordered_map<std::string, Dir> dirs_;
};

class Extractor {
 public:
  Extractor(int root, const UnpackOptions& options, const Cancel& cancel);
  Result<void> open();
  /// `content` gives the bytes when the entry is a file.
  Result<void> extract(const Entry& entry, Reader& content);
  /// Sets the directories' times, which making their content has changed.
  Result<void> finish();
  const UnpackResult& result() const { return result_; }

 private:
  /// Where an entry goes: a directory and a name in it, and the whole clean name for messages and the caches.
  struct Place {
    std::string path;
    std::string base;
    DirCache::Dir held;
    int dir() const { return held->get(); }
    const char* name() const { return base.c_str(); }
  };
  bool is_layer() const { return options_.whiteouts == Whiteouts::ToOverlay; }
  Result<void> extract_root(const Entry& entry);
  Result<void> extract_content(const Entry& entry, Reader& content, const std::string& clean);
  Result<void> make_file(const Entry& entry, Reader& content, const Place& place);
  Result<void> make_directory(const Entry& entry, const Place& place);
  Result<void> make_symlink(const Entry& entry, const Place& place);
  Result<void> make_hard_link(const Entry& entry, const Place& place);
  Result<void> make_node(const Entry& entry, const Place& place);
  Result<void> make_whiteout(const std::string& clean);
  Result<void> make_opaque(const std::string& clean);

  /// Runs a call that answers EEXIST when something is in the way, and clears the way. The call's own result.
  Result<int> create(const Entry& entry, const Place& place, const char* name, const std::function<int()>& call);
  Result<void> clear_way(const Entry& entry, const Place& place);
  Result<void> write_content(const Entry& entry, Reader& content, int fd);
  Result<void> set_metadata(const Entry& entry, int fd);
  Result<void> set_xattrs(const Entry& entry, int fd);
  Result<std::pair<uint32_t, uint32_t>> owner_of(const Entry& entry) const;
  uint32_t mode_of(const Entry& entry) const;
  void note_time(const std::string& path, Time time);

  std::string place_path(const std::string& clean) const;
  Result<DirCache::Dir> directory(const std::string& path);
  Result<sys::DirFd> make_missing(const std::string& path);
  Result<bool> replace_whiteouts(const std::string& path);

  int root_;
  const UnpackOptions& options_;
  const Cancel& cancel_;
  std::string destination_;
  DirCache cache_;
  std::map<std::string, Time> times_;
  size_t times_bytes_ = 0;
  UnpackResult result_;
};

}  // namespace sampan::image::tar
