#pragma once
// store/connection: one SQLite handle: prepared statements kept by their text, errors in SQLite's own words.
// Threads: one at a time; the owner holds the lock.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sampan::store {

class Connection {
 public:
  /// Opens or creates the file and sets the pragmas that every connection has. Errors: DataLoss (not a database).
  static Result<std::unique_ptr<Connection>> open(const std::string& path);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<std::vector<Row>> query(std::string_view sql, const std::vector<Value>& parameters = {});
  /// True while a BEGIN has not ended. SQLite itself rolls back after some errors (disk full), so ask, don't remember.
  bool in_transaction() const;
  /// Called after each commit with the number of pages in the log; replaces SQLite's own folding of the log.
  void on_commit(std::function<void(int pages)> callback);
  /// Copies as much of the log as no reader needs back into the database. Blocks on fsync.
  Result<void> checkpoint();

 private:
  explicit Connection(sqlite3* handle) : handle_(handle) {}
  Result<sqlite3_stmt*> prepare(std::string_view sql);
  Result<void> bind(sqlite3_stmt* statement, const std::vector<Value>& parameters);
  Error error(int rc, std::string_view sql) const;

  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  sqlite3* handle_;
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
  std::function<void(int)> commit_callback_;
};

}  // namespace sampan::store
