#pragma once
// cli/stream/tar_extract: unpacking what a container sends onto this machine (cp). The archive is hostile: nothing in
// it may lead out of the destination directory, by "..", an absolute name or a symbolic link it made itself before.

#include <string>

#include "cli/stream/tar.h"
#include "sys/fd.h"

namespace sampan::cli {

struct ExtractOptions {
  std::string target;  // name inside the directory that the archive's top entry becomes; empty: the directory itself
  bool keep_owner = false;  // ids, set-id bits and nothing less; without it files belong to who copies
};

/// Feeds a tar stream into a directory.
class TarExtractor {
 public:
  TarExtractor(sys::DirFd root, ExtractOptions options);
  Result<void> feed(std::string_view bytes) { return reader_.feed(bytes); }
  Result<void> finish();
  uint64_t bytes() const { return bytes_; }

 private:
  Result<void> begin(const TarEntry& entry);
  Result<void> make_object(const TarEntry& entry, int parent, const std::string& name);
  Result<void> make_directory(int parent, const std::string& name);
  Result<void> make_hard_link(const TarEntry& entry, int parent, const std::string& name);
  Result<void> finish_object(const TarEntry& entry, int parent, const std::string& name);
  Result<std::string> place(const std::string& name);

  sys::DirFd root_;
  ExtractOptions options_;
  TarReader reader_;
  sys::Fd file_;
  TarEntry current_;
  sys::DirFd parent_;
  std::string name_;
  bool have_top_ = false;
  std::string top_;
  uint64_t bytes_ = 0;
  std::vector<std::pair<std::string, TarEntry>> directories_;  // their modes and times are set last
};

}  // namespace sampan::cli
