#include "store/internal/connection.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>

namespace sampan::store {
namespace {

// More distinct statements than the whole program has; beyond it somebody builds SQL from data.
constexpr size_t kMaxCachedStatements = 512;

// busy_timeout covers the checkpointer and a person with the sqlite3 shell; journal_size_limit gives back the space of
// a log that one large transaction made long.
constexpr const char* kPragmas[] = {
    "PRAGMA busy_timeout=5000",           "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",          "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",           "PRAGMA cache_size=-8000",
    "PRAGMA journal_size_limit=33554432", "PRAGMA trusted_schema=OFF",
};

Code code_of_sqlite(int rc, int system_errno) {
  switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return Code::ResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::DataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::Unavailable;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Code::PermissionDenied;
    case SQLITE_CONSTRAINT:
      return rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_ROWID
                 ? Code::AlreadyExists
                 : Code::Conflict;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return system_errno != 0 ? code_of_errno(system_errno) : Code::Unknown;
    default:
      return Code::Internal;
  }
}

Value read_column(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return nullptr;
    case SQLITE_INTEGER:
      return static_cast<int64_t>(sqlite3_column_int64(statement, column));
    default: {
      const auto* text = static_cast<const char*>(static_cast<const void*>(sqlite3_column_text(statement, column)));
      int bytes = sqlite3_column_bytes(statement, column);
      return text ? std::string(text, static_cast<size_t>(bytes)) : std::string();
    }
  }
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path) {
  sqlite3* handle = nullptr;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int rc = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (!handle) return fail(Code::ResourceExhausted, "sqlite open \"{}\": out of memory", path);
  std::unique_ptr<Connection> connection(new Connection(handle));
  if (rc != SQLITE_OK) return connection->error(rc, "open").context(path);
  for (const char* pragma : kPragmas) TRY_CONTEXT(connection->query(pragma), path);
  return connection;
}

Connection::~Connection() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

Error Connection::error(int rc, std::string_view sql) const {
  int system_errno = 0;
  if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_FULL) {
    system_errno = sqlite3_system_errno(handle_);
  }
  // A disk that fills inside the log surfaces as an I/O error with this errno.
  std::string message = fmt::format("database: {} ({})", sqlite3_errmsg(handle_), sqlite3_errstr(rc));
  if (system_errno != 0) message += fmt::format(": {}", std::strerror(system_errno));
  Code code = code_of_sqlite(rc, system_errno);
  if (code == Code::Internal) message += fmt::format(" in \"{}\"", sql.substr(0, 200));
  return Error(code, std::move(message), system_errno);
}

Result<sqlite3_stmt*> Connection::prepare(std::string_view sql) {
  if (auto found = statements_.find(sql); found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  int rc = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                              &tail);
  if (rc != SQLITE_OK) return error(rc, sql);
  if (!statement) return fail(Code::Internal, "empty SQL statement");
  std::string_view rest(tail, static_cast<size_t>(sql.data() + sql.size() - tail));
  if (rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    sqlite3_finalize(statement);
    return fail(Code::Internal, "more than one SQL statement in \"{}\"", sql.substr(0, 200));
  }
  if (statements_.size() >= kMaxCachedStatements) {
    for (auto& [text, old] : statements_) sqlite3_finalize(old);
    statements_.clear();
  }
  statements_.emplace(std::string(sql), statement);
  return statement;
}

Result<void> Connection::bind(sqlite3_stmt* statement, const std::vector<Value>& parameters) {
  if (static_cast<size_t>(sqlite3_bind_parameter_count(statement)) != parameters.size()) {
    return fail(Code::Internal, "{} SQL parameters where {} are wanted in \"{}\"", parameters.size(),
                sqlite3_bind_parameter_count(statement), sqlite3_sql(statement));
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    int index = static_cast<int>(i) + 1, rc;
    if (const auto* number = std::get_if<int64_t>(&parameters[i])) {
      rc = sqlite3_bind_int64(statement, index, *number);
    } else if (const auto* text = std::get_if<std::string>(&parameters[i])) {
      // Static: the parameters outlive the statement's run.
      rc = sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else {
      rc = sqlite3_bind_null(statement, index);
    }
    if (rc != SQLITE_OK) return error(rc, sqlite3_sql(statement));
  }
  return {};
}

Result<std::vector<Row>> Connection::query(std::string_view sql, const std::vector<Value>& parameters) {
  sqlite3_stmt* statement = TRY(prepare(sql));
  // A statement left un-reset would hold its read snapshot and stop the log from being folded.
  struct Reset {
    sqlite3_stmt* statement;
    ~Reset() {
      sqlite3_reset(statement);
      sqlite3_clear_bindings(statement);
    }
  } reset{statement};
  TRY(bind(statement, parameters));
  std::vector<Row> rows;
  int rc;
  while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    Row& row = rows.emplace_back();
    int columns = sqlite3_column_count(statement);
    row.reserve(static_cast<size_t>(columns));
    for (int column = 0; column < columns; ++column) row.push_back(read_column(statement, column));
  }
  if (rc != SQLITE_DONE) return error(rc, sql);
  return rows;
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

void Connection::on_commit(std::function<void(int)> callback) {
  commit_callback_ = std::move(callback);
  auto hook = [](void* self, sqlite3*, const char*, int pages) -> int {
    static_cast<Connection*>(self)->commit_callback_(pages);
    return SQLITE_OK;
  };
  sqlite3_wal_hook(handle_, hook, this);
}

Result<void> Connection::checkpoint() {
  int rc = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (rc != SQLITE_OK && rc != SQLITE_BUSY) return error(rc, "checkpoint");
  return {};
}

}  // namespace sampan::store
