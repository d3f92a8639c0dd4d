#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>

#include "store/internal/connection.h"
#include "store/internal/reserve.h"
#include "store/internal/schema.h"
#include "sys/file.h"

namespace sampan::store {
namespace {

// Pages of 4 KiB in the log before it is folded into the database: rare enough that the one fsync that a writer
// pays when the log starts over is noise, small enough that opening after a crash reads little.
constexpr int kCheckpointPages = 2000;

/// Folds the log on a connection and a thread of its own, because folding fsyncs and commits must not.
class Checkpointer {
 public:
  explicit Checkpointer(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)), thread_([this] { run(); }) {}
  ~Checkpointer() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void note(int pages) {
    if (pages < kCheckpointPages) return;
    {
      std::lock_guard lock(mutex_);
      due_ = true;
    }
    wake_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return due_ || stopping_; });
      if (stopping_) return;
      due_ = false;
      lock.unlock();
      // A failure (disk full, busy) leaves the log as it is; the next commit asks again.
      (void)connection_->checkpoint();
      lock.lock();
    }
  }

  std::unique_ptr<Connection> connection_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool due_ = false, stopping_ = false;
  std::thread thread_;  // last: it uses the members above
};

class SqliteStore final : public Store {
 public:
  SqliteStore(const std::string& path, std::unique_ptr<Connection> connection, std::unique_ptr<Connection> background)
      : connection_(std::move(connection)), checkpointer_(std::move(background)), reserve_(path + ".reserve") {
    connection_->on_commit([this](int pages) { checkpointer_.note(pages); });
  }

  Result<std::vector<Row>> query(std::string_view sql, const std::vector<Value>& parameters) override {
    std::lock_guard lock(mutex_);
    if (depth_ == 0 && !sql.starts_with("SELECT")) reserve_.before_write();
    return connection_->query(sql, parameters);
  }

  Result<void> transaction(const std::function<Result<void>()>& work) override {
    std::lock_guard lock(mutex_);
    if (depth_ == 0) reserve_.before_write();
    return depth_ == 0 ? run("BEGIN IMMEDIATE", "COMMIT", {"ROLLBACK"}, work)
                       : run("SAVEPOINT inner", "RELEASE inner", {"ROLLBACK TO inner", "RELEASE inner"}, work);
  }

 private:
  using Statements = std::vector<const char*>;

  Result<void> run(const char* begin, const char* commit, const Statements& undo,
                   const std::function<Result<void>()>& work) {
    // Undoes on every way out that did not commit, an exception through `work` among them: a transaction left open
    // would swallow every later commit of the program.
    struct Scope {
      SqliteStore& store;
      const Statements& undo;
      bool committed = false;
      ~Scope() {
        --store.depth_;
        if (committed) return;
        // After some errors (disk full) SQLite has already rolled everything back.
        for (const char* statement : undo) {
          if (store.connection_->in_transaction()) (void)store.connection_->query(statement);
        }
      }
    };
    TRY(connection_->query(begin));
    ++depth_;
    Scope scope{*this, undo};
    TRY(work());
    if (!connection_->in_transaction())
      return fail(Code::Internal, "the transaction was rolled back by a failed statement");
    TRY(connection_->query(commit));
    scope.committed = true;
    return {};
  }

  // Declared first, destroyed last: closing it deletes the log once the checkpointer's connection is gone.
  std::unique_ptr<Connection> connection_;
  Checkpointer checkpointer_;
  Reserve reserve_;
  std::recursive_mutex mutex_;
  int depth_ = 0;
};

/// A log that is still there means that the last program did not close the database: look closer before trusting it.
bool was_left_open(const std::string& path) {
  struct stat info;
  return ::stat((path + "-wal").c_str(), &info) == 0 && info.st_size > 0;
}

Result<void> check_pages(Connection& connection) {
  auto rows = TRY(connection.query("PRAGMA quick_check(1)"));
  if (rows.empty() || as_text(rows[0][0]) != "ok") {
    return fail(Code::DataLoss, "the database is damaged: {}", rows.empty() ? "no answer" : as_text(rows[0][0]));
  }
  return {};
}

Result<std::unique_ptr<Store>> open_intact(const std::string& path) {
  // SQLite makes the file 0644 and gives its log the same mode: make it first.
  TRY(sys::open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  bool unclean = was_left_open(path);
  auto connection = TRY(Connection::open(path));
  if (unclean) TRY_CONTEXT(check_pages(*connection), path);
  TRY_CONTEXT(migrate(*connection), path);
  auto background = TRY(Connection::open(path));
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(path, std::move(connection), std::move(background)));
}

Result<std::string> move_aside(const std::string& path) {
  std::string target = fmt::format("{}.corrupt-{}", path, static_cast<long long>(::time(nullptr)));
  for (int n = 1; sys::path_exists(target); ++n) {
    target = fmt::format("{}.corrupt-{}.{}", path, static_cast<long long>(::time(nullptr)), n);
  }
  // The log first: a fresh database must never meet an old log.
  for (const char* suffix : {"-wal", "-shm", ""}) {
    if (sys::path_exists(path + suffix)) TRY(sys::rename_path(path + suffix, target + suffix));
  }
  return target;
}

}  // namespace

Result<std::unique_ptr<Store>> open_store(const std::string& path, IfCorrupt if_corrupt, std::string* set_aside) {
  auto opened = open_intact(path);
  if (opened || opened.error().code() != Code::DataLoss) return opened;
  if (if_corrupt == IfCorrupt::Refuse) return opened;
  std::string target = TRY_CONTEXT(move_aside(path), "set the damaged database aside");
  if (set_aside) *set_aside = target;
  return TRY_CONTEXT(open_intact(path), fmt::format("replace the damaged database, kept as {}", target));
}

}  // namespace sampan::store
