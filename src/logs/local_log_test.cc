// The `local` format, compressed rotation and the index by time.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "logs/internal/gzip.h"
#include "logs/internal/line_splitter.h"
#include "logs/internal/local_entry.h"
#include "logs/internal/time_index.h"
#include "logs/logs.h"
#include "sys/file.h"

namespace sampan::logs {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;

class LocalLogs : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/logs.XXXXXX";
    dir_ = ::mkdtemp(name);
    options_.driver = "local";
    options_.path = dir_ + "/container.log";
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }

  std::unique_ptr<Writer> writer() { return open_writer(options_).value(); }
  std::vector<std::string> read(const ReadOptions& options = {}) {
    auto reader = open_reader(options_.path, options, format_of_driver(options_.driver)).value();
    std::vector<std::string> out;
    while (auto line = reader->next().value()) out.push_back(line->text);
    return out;
  }
  static codec::Time at(int64_t seconds) { return {(1'700'000'000 + seconds) * 1'000'000'000 + 123}; }
  void write_numbers(int from, int to) {
    auto log = writer();
    for (int i = from; i < to; ++i) ASSERT_TRUE(log->write(Stream::Stdout, std::to_string(i) + "\n", at(i)));
  }
  static std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> out;
    for (int i = from; i < to; ++i) out.push_back(std::to_string(i) + "\n");
    return out;
  }

  std::string dir_;
  WriterOptions options_;
};

TEST_F(LocalLogs, writes_entries_byte_for_byte_as_docker_does) {
  ASSERT_TRUE(writer()->write(Stream::Stderr, "hi\n", {300}));
  // source = "stderr", time_nano = 300 (0xac 0x02), line = "hi"
  EXPECT_EQ(sys::read_file(options_.path).value(), "\0\0\0\x0f\x0a\x06stderr\x10\xac\x02\x1a\x02hi\0\0\0\x0f"s);
}

TEST_F(LocalLogs, attributes_are_part_of_the_entry_and_read_back) {
  options_.attributes = {{"a", "1"}, {"b", ""}};
  ASSERT_TRUE(writer()->write(Stream::Stdout, "x\n", {1}));
  EXPECT_EQ(sys::read_file(options_.path).value().substr(4),
            "\x0a\x06stdout\x10\x01\x1a\x01x\x32\x06\x0a\x01\x61\x12\x01\x31\x32\x03\x0a\x01\x62\0\0\0\x1a"s);
  auto reader = open_reader(options_.path, {}, Format::Local).value();
  EXPECT_EQ(reader->next().value()->attributes, options_.attributes);
}

TEST_F(LocalLogs, parts_of_a_long_line_carry_one_id_numbers_and_the_first_time) {
  LineSplitter splitter;
  std::vector<std::string> seen;
  auto sink = [&](const Entry& entry) {
    seen.push_back(fmt::format("{} {} {} {} {}", entry.text.size(), entry.partial, entry.last, entry.ordinal,
                               entry.time.unix_nanos));
    if (entry.partial) EXPECT_EQ(entry.partial_id.size(), 64u);
  };
  splitter.write(Stream::Stdout, std::string(kMaxLine + 10, 'a'), {1}, sink);
  splitter.write(Stream::Stderr, "between\n", {2}, sink);
  splitter.write(Stream::Stdout, std::string(kMaxLine, 'b') + "\n" + std::string(kMaxLine, 'c'), {3}, sink);
  splitter.write(Stream::Stdout, "\n\n", {4}, sink);
  EXPECT_THAT(seen, ElementsAre("16384 true false 1 1", "7 false false 0 2", "16384 true false 2 1", "10 true true 3 1",
                                "16384 false false 0 4", "0 false false 0 4"));
}

TEST_F(LocalLogs, a_long_line_reads_back_whole) {
  std::string line = std::string(40'000, 'x') + "\n";
  auto log = writer();
  ASSERT_TRUE(log->write(Stream::Stdout, line, at(0)));
  ASSERT_TRUE(log->write(Stream::Stdout, "rest", at(1)));
  ASSERT_TRUE(log->flush(at(2)));
  std::string all;
  for (const auto& text : read()) all += text;
  EXPECT_EQ(all, line + "rest\n");
}

TEST_F(LocalLogs, tail_and_since_and_until_select_lines) {
  write_numbers(0, 100);
  EXPECT_EQ(read({.tail = 3}), numbers(97, 100));
  EXPECT_EQ(read({.since = at(95)}), numbers(95, 100));
  EXPECT_EQ(read({.until = at(2)}), numbers(0, 3));
  EXPECT_EQ(read({.since = at(98), .tail = 50}), numbers(98, 100));
  EXPECT_EQ(read({.tail = 0}), numbers(0, 0));
}

TEST_F(LocalLogs, a_torn_entry_is_cut_off_and_hides_nothing) {
  write_numbers(0, 3);
  std::string whole = sys::read_file(options_.path).value();
  for (size_t keep : {1u, 4u, 9u, 20u}) {
    std::ofstream(options_.path) << whole << whole.substr(0, keep);
    EXPECT_EQ(read(), numbers(0, 3)) << keep;
    EXPECT_EQ(read({.tail = 2}), numbers(1, 3)) << keep;
    ASSERT_TRUE(writer()->write(Stream::Stdout, "3\n", at(3)));
    EXPECT_EQ(read(), numbers(0, 4)) << keep;
  }
}

TEST_F(LocalLogs, entries_of_foreign_fields_and_garbage_are_told_apart) {
  Line line;
  EXPECT_TRUE(parse_local_entry("\x0a\x06stderr\x1a\x01x\x7a\x01z\x78\x05"s, line));
  EXPECT_EQ(line.text, "x\n");
  EXPECT_EQ(line.stream, Stream::Stderr);
  for (const auto& bad : {"\x1a\x05x"s, "\x0b"s, "\x10\xff"s, "\x2a\x02\x0a\x05"s})
    EXPECT_FALSE(parse_local_entry(bad, line));
}

TEST_F(LocalLogs, rotated_files_are_compressed_and_read_back_in_order) {
  options_.max_size = 2000;
  options_.max_file = 20;
  options_.compress = true;
  for (const char* driver : {"local", "json-file"}) {
    options_.driver = driver;
    options_.path = dir_ + "/" + driver;
    write_numbers(0, 200);
    EXPECT_TRUE(sys::path_exists(options_.path + ".1.gz"));
    EXPECT_FALSE(sys::path_exists(options_.path + ".1"));
    EXPECT_EQ(read(), numbers(0, 200));
    EXPECT_EQ(read({.tail = 195}), numbers(5, 200));
    EXPECT_EQ(read({.since = at(20)}), numbers(20, 200));
  }
}

TEST_F(LocalLogs, no_more_than_max_file_files_are_kept_compressed_or_not) {
  options_.max_size = 1000;
  options_.max_file = 3;
  options_.compress = true;
  write_numbers(0, 500);
  auto all = read();
  EXPECT_EQ(all.back(), "499\n");
  for (int number : {3, 4, 5}) {
    EXPECT_FALSE(sys::path_exists(fmt::format("{}.{}", options_.path, number)));
    EXPECT_FALSE(sys::path_exists(fmt::format("{}.{}.gz", options_.path, number)));
  }
}

TEST_F(LocalLogs, a_follower_reads_nothing_twice_when_its_file_is_compressed) {
  options_.max_size = 2000;
  options_.max_file = 3;
  options_.compress = true;
  auto log = writer();
  auto reader = open_reader(options_.path, {}, Format::Local).value();
  std::vector<std::string> seen;
  for (int i = 0; i < 70; ++i) {
    ASSERT_TRUE(log->write(Stream::Stdout, std::to_string(i) + "\n", at(i)));
    if (i % 20 != 19) continue;
    while (auto line = reader->next().value()) seen.push_back(line->text);
  }
  while (auto line = reader->next().value()) seen.push_back(line->text);
  EXPECT_EQ(seen, numbers(0, 70));
}

TEST_F(LocalLogs, the_gap_that_a_killed_rotation_leaves_hides_nothing_before_it) {
  options_.max_size = 2000;
  options_.max_file = 5;
  write_numbers(0, 200);
  ASSERT_EQ(read(), numbers(0, 200));
  ASSERT_TRUE(sys::rename_path(options_.path + ".3", options_.path + ".4"));  // killed behind the first rename
  EXPECT_EQ(read(), numbers(0, 200));
}

TEST_F(LocalLogs, a_damaged_compressed_file_is_an_error_and_not_an_end) {
  std::ofstream(options_.path + ".1.gz") << "no gzip";
  auto reader = open_reader(options_.path, {}, Format::Local);
  EXPECT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), Code::DataLoss);
}

class TimeIndex : public LocalLogs {
 protected:
  void SetUp() override {
    LocalLogs::SetUp();
    options_.driver = "json-file";
    options_.max_size = -1;
  }
  /// About three megabytes, a record a second.
  void write_big(int from, int to) {
    auto log = writer();
    std::string filler(3000, 'f');
    for (int i = from; i < to; ++i) ASSERT_TRUE(log->write(Stream::Stdout, filler + "\n", at(i)));
  }
  int64_t begin_of(int64_t seconds) {
    struct stat info;
    EXPECT_EQ(::stat(options_.path.c_str(), &info), 0);
    return find_since(options_.path, info.st_ino, info.st_size, at(seconds).unix_nanos);
  }
  size_t lines_since(int64_t seconds) { return read({.since = at(seconds)}).size(); }
};

TEST_F(TimeIndex, since_begins_near_its_answer_and_finds_all_of_it) {
  write_big(0, 2000);
  EXPECT_EQ(begin_of(0), 0);
  EXPECT_GT(begin_of(1900), 4 << 20);
  for (int from : {0, 1, 340, 341, 342, 343, 344, 345, 1000, 1999})
    EXPECT_EQ(lines_since(from), 2000u - static_cast<size_t>(from));
  EXPECT_EQ(lines_since(2000), 0u);
}

TEST_F(TimeIndex, a_clock_that_was_set_back_hides_nothing) {
  write_big(5000, 6000);
  write_big(0, 1000);
  EXPECT_EQ(lines_since(5500), 500u);
  EXPECT_EQ(lines_since(500), 1500u);
}

TEST_F(TimeIndex, goes_on_after_a_restart_of_the_container) {
  write_big(0, 1000);
  // What was written before the restart is no younger than the file.
  const timespec then[] = {{at(999).unix_nanos / 1'000'000'000 + 1, 0}, {at(999).unix_nanos / 1'000'000'000 + 1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, options_.path.c_str(), then, 0), 0);
  write_big(1000, 2000);
  EXPECT_GT(begin_of(1900), 4 << 20);
  EXPECT_EQ(lines_since(1500), 500u);
}

TEST_F(TimeIndex, of_another_file_or_torn_is_ignored) {
  write_big(0, 1000);
  std::string index = sys::read_file(index_name(options_.path)).value();
  std::ofstream(index_name(options_.path)) << index.substr(0, index.size() - 3);
  EXPECT_EQ(lines_since(900), 100u);
  index[9] = static_cast<char>(index[9] ^ 1);
  std::ofstream(index_name(options_.path)) << index;
  EXPECT_EQ(begin_of(900), 0);
  EXPECT_EQ(lines_since(900), 100u);
}

TEST_F(TimeIndex, a_small_log_has_none) {
  write_numbers(0, 100);
  EXPECT_FALSE(sys::path_exists(index_name(options_.path)));
}

TEST_F(TimeIndex, moves_with_its_file) {
  options_.max_size = 4 << 20;
  options_.max_file = 2;
  write_big(0, 2000);
  EXPECT_TRUE(sys::path_exists(index_name(options_.path + ".1")));
  EXPECT_EQ(lines_since(1000), 1000u);
}

}  // namespace
}  // namespace sampan::logs
