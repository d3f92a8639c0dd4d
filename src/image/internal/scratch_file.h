#pragma once
// A temporary below tmp/ that is gone when its owner is.

#include <string>

#include "sys/file.h"

namespace sampan::image {

class ScratchFile {
 public:
  explicit ScratchFile(std::string path) : path_(std::move(path)) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() { (void)sys::remove_tree(path_); }  // what stays is cleaned at the next start
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sampan::image
