#include "store/store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "sys/file.h"

namespace sampan::store {
namespace {

using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sampan.store.XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    dir_ = name;
    path_ = dir_ + "/sampan.db";
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }
  std::unique_ptr<Store> open() {
    auto store = open_store(path_);
    EXPECT_TRUE(store) << store.error().message();
    return store ? std::move(*store) : nullptr;
  }
  int64_t count(Store& store, const std::string& table) {
    return as_int(store.query("SELECT count(*) FROM " + table).value()[0][0]);
  }
  std::string dir_, path_;
};

TEST_F(StoreTest, documents_are_put_found_listed_in_byte_order_and_deleted) {
  auto store = open();
  ASSERT_TRUE(put_document(*store, "volume", "b", "{\"n\":1}"));
  ASSERT_TRUE(put_document(*store, "volume", "a", "{}"));
  ASSERT_TRUE(put_document(*store, "volume", "B", "{}"));
  ASSERT_TRUE(put_document(*store, "network", "a", "other"));
  ASSERT_TRUE(put_document(*store, "volume", "b", "{\"n\":2}"));
  EXPECT_EQ(find_document(*store, "volume", "b").value(), "{\"n\":2}");
  auto all = list_documents(*store, "volume").value();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].first, "B");
  EXPECT_EQ(all[2].first, "b");
  ASSERT_TRUE(delete_document(*store, "volume", "b"));
  EXPECT_FALSE(find_document(*store, "volume", "b").value().has_value());
  EXPECT_TRUE(delete_document(*store, "volume", "b"));
}

TEST_F(StoreTest, values_survive_a_reopen_with_every_type) {
  std::string odd("a\0b\n\xc3\xa9", 6);
  {
    auto store = open();
    ASSERT_TRUE(store->query("CREATE TABLE IF NOT EXISTS t(a, b, c)"));
    ASSERT_TRUE(store->query("INSERT INTO t VALUES(?,?,?)", {int64_t{-7}, odd, nullptr}));
  }
  auto rows = open()->query("SELECT a, b, c FROM t").value();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(std::get<int64_t>(rows[0][0]), -7);
  EXPECT_EQ(std::get<std::string>(rows[0][1]), odd);
  EXPECT_TRUE(std::holds_alternative<std::nullptr_t>(rows[0][2]));
}

TEST_F(StoreTest, file_is_private_and_close_leaves_no_log) {
  auto store = open();
  ASSERT_TRUE(put_document(*store, "k", "k", "v"));
  struct stat info;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 07777, 0600u) << suffix;
  }
  store.reset();
  EXPECT_FALSE(sys::path_exists(path_ + "-wal"));
}

TEST_F(StoreTest, failed_transaction_leaves_nothing) {
  auto store = open();
  auto result = store->transaction([&]() -> Result<void> {
    TRY(put_document(*store, "k", "1", "v"));
    return fail(Code::NotFound, "changed my mind");
  });
  EXPECT_EQ(result.error().code(), Code::NotFound);
  EXPECT_EQ(count(*store, "documents"), 0);
  EXPECT_TRUE(store->transaction([&]() -> Result<void> { return put_document(*store, "k", "2", "v"); }));
  EXPECT_EQ(count(*store, "documents"), 1);
}

TEST_F(StoreTest, nested_transaction_undoes_only_itself_and_falls_with_the_outer) {
  auto store = open();
  auto put = [&](const char* key) { return put_document(*store, "k", key, "v"); };
  ASSERT_TRUE(store->transaction([&]() -> Result<void> {
    TRY(put("outer"));
    auto inner = store->transaction([&]() -> Result<void> {
      TRY(put("inner"));
      return fail(Code::Internal, "no");
    });
    EXPECT_FALSE(inner);
    return store->transaction([&] { return put("second"); });
  }));
  EXPECT_EQ(count(*store, "documents"), 2);
  EXPECT_FALSE(store->transaction([&]() -> Result<void> {
    TRY(store->transaction([&] { return put("third"); }));
    return fail(Code::Internal, "no");
  }));
  EXPECT_EQ(count(*store, "documents"), 2);
}

TEST_F(StoreTest, exception_through_a_transaction_does_not_leave_it_open) {
  auto store = open();
  EXPECT_THROW((void)store->transaction([&]() -> Result<void> {
    (void)put_document(*store, "k", "1", "v");
    throw 1;
  }),
               int);
  EXPECT_EQ(count(*store, "documents"), 0);
  ASSERT_TRUE(put_document(*store, "k", "2", "v"));
  store.reset();
  store = open();
  EXPECT_EQ(count(*store, "documents"), 1);
}

TEST_F(StoreTest, errors_have_codes_and_sqlites_words) {
  auto store = open();
  ASSERT_TRUE(store->query("CREATE TABLE u(a TEXT PRIMARY KEY, b TEXT NOT NULL)"));
  ASSERT_TRUE(store->query("INSERT INTO u VALUES('x','y')"));
  auto twice = store->query("INSERT INTO u VALUES('x','z')");
  EXPECT_EQ(twice.error().code(), Code::AlreadyExists);
  EXPECT_THAT(twice.error().message(), HasSubstr("UNIQUE constraint failed: u.a"));
  EXPECT_EQ(store->query("INSERT INTO u VALUES('w',NULL)").error().code(), Code::Conflict);
  auto syntax = store->query("SELEC 1");
  EXPECT_EQ(syntax.error().code(), Code::Internal);
  EXPECT_THAT(syntax.error().message(), HasSubstr("syntax error"));
  EXPECT_FALSE(store->query("SELECT 1; SELECT 2"));
  EXPECT_FALSE(store->query("SELECT ?"));
  EXPECT_TRUE(store->query("SELECT 1 ; "));
}

TEST_F(StoreTest, full_disk_is_resource_exhausted_and_the_store_lives_on) {
  auto store = open();
  ASSERT_TRUE(put_document(*store, "k", "before", "v"));
  ASSERT_TRUE(store->query("PRAGMA max_page_count=8"));
  auto result = store->transaction([&]() -> Result<void> {
    TRY(put_document(*store, "k", "small", "v"));
    return put_document(*store, "k", "big", std::string(200000, 'x'));
  });
  EXPECT_EQ(result.error().code(), Code::ResourceExhausted);
  EXPECT_THAT(result.error().message(), HasSubstr("full"));
  EXPECT_EQ(count(*store, "documents"), 1);
  ASSERT_TRUE(store->query("PRAGMA max_page_count=100000"));
  EXPECT_TRUE(put_document(*store, "k", "big", std::string(200000, 'x')));
}

TEST_F(StoreTest, newer_schema_and_foreign_database_are_refused_untouched) {
  open()->query("PRAGMA user_version=99").value();
  auto newer = open_store(path_, IfCorrupt::SetAside);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code(), Code::InvalidArgument);
  EXPECT_THAT(newer.error().message(), HasSubstr("schema version 99"));
  path_ = dir_ + "/foreign.db";
  open()->query("PRAGMA application_id=7").value();
  EXPECT_EQ(open_store(path_).error().code(), Code::InvalidArgument);
}

TEST_F(StoreTest, garbage_is_data_loss_and_set_aside_only_when_asked) {
  ASSERT_TRUE(sys::replace_file(path_, std::string(8192, 'g')));
  auto refused = open_store(path_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::DataLoss);
  EXPECT_THAT(refused.error().message(), HasSubstr(path_));
  EXPECT_THAT(refused.error().message(), HasSubstr("not a database"));
  std::string aside;
  auto fresh = open_store(path_, IfCorrupt::SetAside, &aside);
  ASSERT_TRUE(fresh) << fresh.error().message();
  EXPECT_THAT(aside, HasSubstr(".corrupt-"));
  EXPECT_EQ(sys::read_file(aside).value(), std::string(8192, 'g'));
  EXPECT_TRUE(put_document(**fresh, "k", "k", "v"));
}

TEST_F(StoreTest, damaged_page_is_found_after_an_unclean_end) {
  {
    auto store = open();
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(put_document(*store, "k", std::to_string(i), std::string(500, 'x')));
  }
  auto fd = sys::open_file(path_, O_RDWR).value();
  for (int page = 4; page < 20; ++page) {
    std::string junk(2048, '\xff');
    ASSERT_EQ(::pwrite(fd.get(), junk.data(), junk.size(), page * 4096), 2048);
  }
  ASSERT_TRUE(sys::replace_file(path_ + "-wal", "not a log"));
  EXPECT_EQ(open_store(path_).error().code(), Code::DataLoss);
}

TEST_F(StoreTest, quarantined_document_keeps_its_bytes) {
  auto store = open();
  ASSERT_TRUE(put_document(*store, "container", "c1", "{broken"));
  ASSERT_TRUE(quarantine_document(*store, "container", "c1", "unexpected end"));
  EXPECT_TRUE(list_documents(*store, "container").value().empty());
  auto rows = store->query("SELECT kind, key, json, reason FROM quarantine").value();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(as_text(rows[0][2]), "{broken");
  EXPECT_EQ(as_text(rows[0][3]), "unexpected end");
}

TEST_F(StoreTest, threads_share_it_and_the_log_is_folded_behind_them) {
  auto store = open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        auto done = store->transaction([&]() -> Result<void> {
          TRY(put_document(*store, "k", fmt::format("{}.{}", t, i), std::string(3000, 'x')));
          return put_document(*store, "last", std::to_string(t), std::to_string(i));
        });
        EXPECT_TRUE(done) << done.error().message();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count(*store, "documents"), 2004);
}

// A child commits pairs and reports each committed one; it is killed in the middle. Every reported pair must be there,
// and never half of one.
TEST_F(StoreTest, kill_9_loses_no_committed_transaction_and_keeps_no_half) {
  for (int round = 0; round < 5; ++round) {
    int pipes[2];
    ASSERT_EQ(::pipe(pipes), 0);
    pid_t child = ::fork();
    if (child == 0) {
      auto store = open_store(path_);
      for (int i = 0; store && i < 100000; ++i) {
        std::string key = fmt::format("{}.{}", round, i);
        auto done = (*store)->transaction([&]() -> Result<void> {
          TRY(put_document(**store, "left", key, std::string(2000, 'l')));
          return put_document(**store, "right", key, "r");
        });
        if (!done || ::write(pipes[1], &i, sizeof i) != sizeof i) ::_exit(1);
      }
      ::_exit(1);
    }
    ::close(pipes[1]);
    int last = -1, value;
    while (last < 40 + round * 150 && ::read(pipes[0], &value, sizeof value) == sizeof value) last = value;
    ::kill(child, SIGKILL);
    while (::read(pipes[0], &value, sizeof value) == sizeof value) last = value;
    ::close(pipes[0]);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    auto store = open();
    ASSERT_GE(last, 40);
    for (const char* kind : {"left", "right"}) {
      EXPECT_TRUE(find_document(*store, kind, fmt::format("{}.{}", round, last)).value().has_value());
    }
    EXPECT_EQ(list_documents(*store, "left").value().size(), list_documents(*store, "right").value().size());
  }
}

}  // namespace
}  // namespace sampan::store
