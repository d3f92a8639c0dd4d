#include "store/internal/schema.h"

namespace sampan::store {
namespace {

// "SAMP": tells sampan's database from any other SQLite file.
constexpr int64_t kApplicationId = 0x53414d50;

// One entry per version, one statement per line. Entries are never edited once released: append.
const std::vector<std::vector<const char*>> kMigrations = {
    {
        "CREATE TABLE documents(kind TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL,"
        " PRIMARY KEY(kind, key)) WITHOUT ROWID",
        "CREATE TABLE quarantine(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL,"
        " reason TEXT NOT NULL, at TEXT NOT NULL DEFAULT(strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))",
        "PRAGMA application_id=1396788560",
    },
};

Result<int64_t> read_pragma(Connection& connection, std::string_view name) {
  auto rows = TRY(connection.query(fmt::format("PRAGMA {}", name)));
  return rows.empty() || rows[0].empty() ? 0 : as_int(rows[0][0]);
}

Result<void> apply_from(Connection& connection, size_t version) {
  for (; version < kMigrations.size(); ++version) {
    for (const char* statement : kMigrations[version]) {
      TRY_CONTEXT(connection.query(statement), fmt::format("migrate the database to version {}", version + 1));
    }
  }
  TRY(connection.query(fmt::format("PRAGMA user_version={}", kMigrations.size())));
  return {};
}

}  // namespace

Result<void> migrate(Connection& connection) {
  int64_t version = TRY(read_pragma(connection, "user_version"));
  int64_t application = TRY(read_pragma(connection, "application_id"));
  if (application != 0 && application != kApplicationId) {
    return fail(Code::InvalidArgument, "the database belongs to another program (application id {:#x})", application);
  }
  if (version > static_cast<int64_t>(kMigrations.size())) {
    return fail(Code::InvalidArgument,
                "the database has schema version {}, this program knows versions up to {}: run the newer program",
                version, kMigrations.size());
  }
  if (version == static_cast<int64_t>(kMigrations.size())) return {};
  TRY(connection.query("BEGIN IMMEDIATE"));
  auto applied = apply_from(connection, static_cast<size_t>(version));
  if (!applied) {
    if (connection.in_transaction()) (void)connection.query("ROLLBACK");  // the first error is the one to tell
    return applied;
  }
  TRY(connection.query("COMMIT"));
  return {};
}

}  // namespace sampan::store
