#pragma once
// engine/internal/containers: the registry: every container's present record and cell, and who has which name.
//
// Records are immutable; publish() swaps them. The lock is held for a lookup, never for an operation.

#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "container/record.h"
#include "engine/internal/cell.h"

namespace sampan::engine {

using container::ContainerRecord;
using container::ContainerSnapshot;

class Containers {
 public:
  struct Found {
    CellPtr cell;
    ContainerSnapshot record;
  };
  /// By id, then name with or without "/", then unique id prefix.
  /// Errors: NotFound "No such container: x", InvalidArgument (an ambiguous prefix).
  Result<Found> get(const std::string& name) const;
  /// By full id; null when it has gone.
  ContainerSnapshot record(const std::string& id) const;
  CellPtr cell(const std::string& id) const;
  /// Newest first.
  std::vector<ContainerSnapshot> list() const;
  /// In no order. `wanted` is called with the lock held: it must be short and call nothing here.
  std::vector<ContainerSnapshot> list_if(const std::function<bool(const ContainerRecord&)>& wanted) const;

  /// Takes the name before anything is made. Errors: Conflict in Docker's words.
  Result<void> reserve_name(const std::string& name, const std::string& id);
  void release_name(const std::string& name, const std::string& id);

  CellPtr insert(ContainerRecord record);
  /// Replaces the record of a container that is still there, and tells the watchers.
  void publish(ContainerRecord record);
  void erase(const std::string& id);

  std::shared_ptr<void> watch(std::function<void(const std::string&)> changed);

 private:
  struct Entry {
    CellPtr cell;
    ContainerSnapshot record;
    int64_t created = 0;
  };
  void tell(const std::string& id);

  mutable std::shared_mutex mutex_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> names_;  // name -> id
  std::mutex watch_mutex_;
  std::vector<std::weak_ptr<std::function<void(const std::string&)>>> watchers_;
};

}  // namespace sampan::engine
