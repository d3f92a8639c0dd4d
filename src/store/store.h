#pragma once
// store: one SQLite database (WAL, synchronous=NORMAL) for all metadata; typed access sits in the modules that own a table.
//
// kill -9 loses nothing that was committed; power loss loses at most the last commits, never consistency. Migrations
// are an ordered list; a database from a newer program is refused, never downgraded. One row that does not parse is
// moved to the table `quarantine` by its reader, and the rest goes on.
//
// Threads: any; one connection behind a mutex, statements are cached. Nothing blocks on a container.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace sampan::store {

using Value = std::variant<std::nullptr_t, int64_t, std::string>;
using Row = std::vector<Value>;

class Store {
 public:
  virtual ~Store() = default;
  /// Runs one statement with positional parameters; rows of a SELECT come back whole.
  virtual Result<std::vector<Row>> query(std::string_view sql, const std::vector<Value>& parameters = {}) = 0;
  /// All or nothing. Calls inside `work` go through the same connection; `work` must not take long.
  virtual Result<void> transaction(const std::function<Result<void>()>& work) = 0;
};

/// Opens or creates `path` and migrates it. Errors: DataLoss (not a database: the file is set aside as
/// <path>.corrupt-<time> and a fresh one is made only when `recover_corrupt`), InvalidArgument (newer schema).
Result<std::unique_ptr<Store>> open_store(const std::string& path);

/// Simple documents: table `documents(kind, key, json)`. For records that are read whole: containers, networks, volumes.
Result<void> put_document(Store& store, std::string_view kind, std::string_view key, std::string_view json);
Result<void> delete_document(Store& store, std::string_view kind, std::string_view key);
Result<std::optional<std::string>> find_document(Store& store, std::string_view kind, std::string_view key);
Result<std::vector<std::pair<std::string, std::string>>> list_documents(Store& store, std::string_view kind);
/// Moves a document that its reader could not parse out of the way, keeping its bytes.
Result<void> quarantine_document(Store& store, std::string_view kind, std::string_view key, std::string_view reason);

}  // namespace sampan::store
