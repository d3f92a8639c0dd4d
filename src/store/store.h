#pragma once
// store: one SQLite database (WAL, synchronous=NORMAL) for all metadata; typed access sits in the modules that own a
// table.
//
// kill -9 loses nothing that was committed; power loss loses at most the last commits, never consistency. A commit
// is one write(2) to the log, no fsync: several per container start are fine. Folding the log back into the database
// (which does fsync) is a background thread's work. Migrations are an ordered list; a database from a newer program
// is refused, never downgraded. One row that does not parse is moved to the table `quarantine` by its reader, and the
// rest goes on.
//
// A module that needs a table of its own creates it with CREATE TABLE IF NOT EXISTS through query() when it opens.
//
// Threads: any; one connection behind a recursive mutex, statements are cached. Nothing blocks on a container.
//
//   TRY(store.transaction([&]() -> Result<void> {
//     TRY(store.query("UPDATE t SET state=? WHERE id=?", {std::string("gone"), id}));
//     return put_document(store, "event", key, json);
//   }));

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  /// Errors carry SQLite's words: ResourceExhausted (disk full), AlreadyExists (unique key), Conflict (another
  /// constraint), DataLoss (damaged file), Unavailable (locked by another process), Internal (bad SQL).
  virtual Result<std::vector<Row>> query(std::string_view sql, const std::vector<Value>& parameters = {}) = 0;
  /// All or nothing. Calls inside `work` go through the same connection; `work` must not take long. A call inside
  /// another one's `work` joins it: its failure undoes only its own part, its success counts once the outer commits.
  virtual Result<void> transaction(const std::function<Result<void>()>& work) = 0;
};

enum class IfCorrupt { Refuse, SetAside };

/// Opens or creates `path` (0600) and migrates it.
/// With IfCorrupt::SetAside a damaged file and its log are renamed to <path>.corrupt-<time> (kept, never deleted, told
/// in `set_aside`) and a fresh database is made; with Refuse nothing is touched.
/// Errors: DataLoss (not a database, or damaged), InvalidArgument (newer schema, another program's database).
Result<std::unique_ptr<Store>> open_store(const std::string& path, IfCorrupt if_corrupt = IfCorrupt::Refuse,
                                          std::string* set_aside = nullptr);

// Accessors of one column; a value of another type gives 0 and "".
int64_t as_int(const Value& value);
std::string as_text(const Value& value);

/// Simple documents: table `documents(kind, key, json)`. For records that are read whole: containers, networks,
/// volumes.
Result<void> put_document(Store& store, std::string_view kind, std::string_view key, std::string_view json);
Result<void> delete_document(Store& store, std::string_view kind, std::string_view key);
Result<std::optional<std::string>> find_document(Store& store, std::string_view kind, std::string_view key);
/// (key, json) in byte order of the keys.
Result<std::vector<std::pair<std::string, std::string>>> list_documents(Store& store, std::string_view kind);
/// Moves a document that its reader could not parse out of the way, keeping its bytes.
Result<void> quarantine_document(Store& store, std::string_view kind, std::string_view key, std::string_view reason);

}  // namespace sampan::store
