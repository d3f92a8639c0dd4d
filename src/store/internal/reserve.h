#pragma once
// store/internal/reserve: disk space put aside for the database, so that stop, rm and prune work on a full disk.
//
// A preallocated file beside the database. When the filesystem is about to be full it is given up, and the database
// writes where it was; when there is room again it is made again.

#include <cstdint>
#include <string>

namespace sampan::store {

class Reserve {
 public:
  explicit Reserve(std::string path);
  /// Before a write: one statfs. Gives the reserve up or takes it back as the free space asks for. Never fails: without
  /// a reserve the write itself tells.
  void before_write();

 private:
  void make();

  std::string path_, directory_;
  bool there_ = false;
};

}  // namespace sampan::store
