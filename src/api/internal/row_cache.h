#pragma once
// api/internal/row_cache: the rows of the container list as they were last written. Consoles ask for a thousand of them
// every few seconds, and hardly one has changed.
//
// Records are immutable: the same record gives the same row, but for what is in RowKey. A row costs about its own text;
// rows of containers that have gone are dropped when there are twice as many as were left the last time.
//
// Threads: any.

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "container/record.h"

namespace sampan::api {

/// What a row tells that is not in the record.
struct RowKey {
  int api_minor = 0;
  std::string image;   // as it is to be shown
  std::string status;  // prose: it tells the time
  bool operator==(const RowKey&) const = default;
};

class RowCache {
 public:
  /// Appends the row and returns true, or false: there is none that is still right.
  bool append_row(std::string& out, const container::ContainerSnapshot& record, const RowKey& key);
  void keep(const container::ContainerSnapshot& record, RowKey key, std::string text);

 private:
  struct Row {
    std::weak_ptr<const container::ContainerRecord> record;
    RowKey key;
    std::string text;
  };

  std::mutex mutex_;
  std::unordered_map<std::string, Row> rows_;  // by container id
  size_t sweep_at_ = 64;
};

}  // namespace sampan::api
