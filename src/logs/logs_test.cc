#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "codec/json.h"
#include "logs/internal/json_line.h"
#include "logs/logs.h"
#include "sys/file.h"

namespace sampan::logs {
namespace {

using testing::ElementsAre;

class Logs : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/logs.XXXXXX";
    dir_ = ::mkdtemp(name);
    options_.path = dir_ + "/log.json";
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }

  std::unique_ptr<Writer> writer() { return open_writer(options_).value(); }
  std::unique_ptr<Reader> reader(const ReadOptions& options = {}) {
    return open_reader(options_.path, options).value();
  }
  std::string content() { return sys::read_file(options_.path).value(); }
  void append_raw(std::string_view text) { std::ofstream(options_.path, std::ios::app) << text; }

  static codec::Time at(int64_t seconds) { return {(1'700'000'000 + seconds) * 1'000'000'000 + 123}; }
  static std::vector<std::string> texts(Reader& reader) {
    std::vector<std::string> out;
    while (auto line = reader.next().value()) out.push_back(line->text);
    return out;
  }
  void write_numbers(int from, int to) {
    auto log = writer();
    for (int i = from; i < to; ++i) ASSERT_TRUE(log->write(Stream::Stdout, std::to_string(i) + "\n", at(i)));
  }

  std::string dir_;
  WriterOptions options_;
};

TEST_F(Logs, writes_records_byte_for_byte_as_docker_does) {
  auto log = writer();
  ASSERT_TRUE(log->write(Stream::Stdout, "hello\n", at(0)));
  ASSERT_TRUE(log->write(Stream::Stderr, "oops\n", at(1)));
  EXPECT_EQ(content(),
            "{\"log\":\"hello\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:20.000000123Z\"}\n"
            "{\"log\":\"oops\\n\",\"stream\":\"stderr\",\"time\":\"2023-11-14T22:13:21.000000123Z\"}\n");
}

TEST_F(Logs, attributes_stand_between_stream_and_time) {
  options_.attributes = {{"b", "2"}, {"a", "\"1\""}};
  ASSERT_TRUE(writer()->write(Stream::Stdout, "x\n", at(0)));
  EXPECT_EQ(content(),
            "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"\\\"1\\\"\",\"b\":\"2\"},"
            "\"time\":\"2023-11-14T22:13:20.000000123Z\"}\n");
  auto line = reader()->next().value();
  ASSERT_TRUE(line);
  EXPECT_EQ(line->attributes, options_.attributes);
}

TEST(LogEscaping, controls_html_and_separators_are_escaped_as_docker_does) {
  std::string out;
  append_escaped(out, std::string_view("\"\\\n\r\t\x01\x1b<>&\x7f\0", 12));
  EXPECT_EQ(out, "\\\"\\\\\\n\\r\\u0009\\u0001\\u001b\\u003c\\u003e\\u0026\x7f\\u0000");
  out.clear();
  append_escaped(out, "\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA");
  EXPECT_EQ(out, "\\u2028\\u2029\xE2\x80\xAA");
}

TEST(LogEscaping, bytes_that_are_not_utf8_become_replacement_characters) {
  std::string out;
  append_escaped(out,
                 "a\xFF"
                 "b\xC0\xAF"
                 "c\xED\xA0\x80"
                 "d\xF5\x80\x80\x80"
                 "e\xE2\x82");
  EXPECT_EQ(out, "a\\ufffdb\\ufffd\\ufffdc\\ufffd\\ufffd\\ufffdd\\ufffd\\ufffd\\ufffd\\ufffde\\ufffd\\ufffd");
  out.clear();
  append_escaped(out, "é€😀");
  EXPECT_EQ(out, "é€😀");
}

TEST(LogEscaping, what_is_written_is_valid_json_and_reads_back) {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all += static_cast<char>(c);
  all += "ü€😀";
  std::string escaped = "{\"log\":\"";
  append_escaped(escaped, all);
  escaped += "\",\"time\":\"2024-01-01T00:00:00Z\"}";
  auto json = codec::parse_json(escaped);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->at("log").as_string(), all);
  TimeParser times;
  Line line;
  ASSERT_TRUE(parse_json_line(escaped, times, line));
  EXPECT_EQ(line.text, all);
}

TEST(LogParsing, accepts_any_member_order_unknown_members_and_space) {
  TimeParser times;
  Line line;
  EXPECT_TRUE(
      parse_json_line("{ \"time\" : \"2024-02-29T12:34:56.5Z\", \"x\":{\"a\":[1,\"}\",null]}, \"stream\":\"stderr\" ,"
                      "\"log\":\"\\u00e9\\ud83d\\ude00\\/\" }",
                      times, line));
  EXPECT_EQ(line.text, "é😀/");
  EXPECT_EQ(line.stream, Stream::Stderr);
  EXPECT_EQ(line.time.unix_nanos, 1'709'210'096'500'000'000);
}

TEST(LogParsing, refuses_garbage) {
  TimeParser times;
  Line line;
  for (const char* bad :
       {"", "{}", "null", "{\"log\":\"x\"}", "{\"log\":\"x\",\"time\":\"yesterday\"}",
        "{\"log\":\"x,\"time\":\"2024-01-01T00:00:00Z\"}", "{\"log\":\"\\u12\",\"time\":\"2024-01-01T00:00:00Z\"}",
        "{\"log\":\"x\",\"time\":\"2024-01-01T00:00:00Z\"", "{\"log\":\"x\",\"time\":\"2024-13-01T00:00:00Z\"}",
        "{\"log\":\"x\",\"time\":\"2024-01-01T00:00:00Z\"}}"}) {
    EXPECT_FALSE(parse_json_line(bad, times, line)) << bad;
  }
}

TEST(LogParsing, times_agree_with_the_careful_parser) {
  TimeParser times;
  for (const char* text : {"2024-02-29T23:59:59.999999999Z", "2024-03-01T00:00:00Z", "1999-12-31T00:00:00.1Z",
                           "2024-02-29T01:02:03.000000004+02:00"}) {
    auto parsed = times.parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, codec::parse_rfc3339(text).value()) << text;
  }
}

TEST_F(Logs, a_line_that_arrives_in_pieces_is_one_record) {
  auto log = writer();
  ASSERT_TRUE(log->write(Stream::Stdout, "one ", at(0)));
  ASSERT_TRUE(log->write(Stream::Stderr, "other\n", at(1)));
  ASSERT_TRUE(log->write(Stream::Stdout, "line\nrest", at(2)));
  EXPECT_THAT(texts(*reader()), ElementsAre("other\n", "one line\n"));
  ASSERT_TRUE(log->flush(at(3)));
  EXPECT_THAT(texts(*reader()), ElementsAre("other\n", "one line\n", "rest"));
}

TEST_F(Logs, long_lines_are_split_at_16_kib_and_only_the_last_part_has_the_newline) {
  std::string text = std::string(40'000, 'x') + "\n";
  ASSERT_TRUE(writer()->write(Stream::Stdout, text, at(0)));
  auto parts = texts(*reader());
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].size(), 16384u);
  EXPECT_EQ(parts[1].size(), 16384u);
  EXPECT_EQ(parts[0] + parts[1] + parts[2], text);
}

TEST_F(Logs, splitting_does_not_depend_on_how_the_bytes_arrive) {
  std::string text;
  for (int i = 0; i < 9; ++i)
    text += std::string(static_cast<size_t>(4000 * i + 13), static_cast<char>('a' + i)) + "\n";
  ASSERT_TRUE(writer()->write(Stream::Stdout, text, at(0)));
  auto whole = texts(*reader());
  for (size_t step : {1u, 7u, 4096u, 16384u, 16385u}) {
    options_.path = dir_ + "/step" + std::to_string(step);
    auto log = writer();
    for (size_t i = 0; i < text.size(); i += step) ASSERT_TRUE(log->write(Stream::Stdout, text.substr(i, step), at(0)));
    EXPECT_EQ(texts(*reader()), whole) << step;
  }
}

TEST_F(Logs, splitting_keeps_utf8_sequences_whole) {
  std::string text = "a";
  while (text.size() < 20'000) text += "€";
  text += "\n";
  ASSERT_TRUE(writer()->write(Stream::Stdout, text, at(0)));
  std::string joined;
  for (const auto& part : texts(*reader())) joined += part;
  EXPECT_EQ(joined, text);
}

TEST_F(Logs, none_writes_nothing_and_an_unknown_driver_is_refused) {
  options_.driver = "none";
  ASSERT_TRUE(writer()->write(Stream::Stdout, "x\n", at(0)));
  EXPECT_FALSE(sys::path_exists(options_.path));
  options_.driver = "fluentd";
  EXPECT_EQ(open_writer(options_).error().code(), Code::InvalidArgument);
}

TEST_F(Logs, rotation_keeps_max_file_files_and_the_reader_joins_them) {
  options_.max_size = 1000;
  options_.max_file = 3;
  write_numbers(0, 100);
  EXPECT_TRUE(sys::path_exists(options_.path + ".1"));
  EXPECT_TRUE(sys::path_exists(options_.path + ".2"));
  EXPECT_FALSE(sys::path_exists(options_.path + ".3"));
  auto lines = texts(*reader());
  ASSERT_FALSE(lines.empty());
  int first = std::stoi(lines[0]);
  EXPECT_GT(first, 50);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i], std::to_string(first + static_cast<int>(i)) + "\n");
  EXPECT_EQ(lines.back(), "99\n");
}

TEST_F(Logs, rotation_with_one_file_starts_over) {
  options_.max_size = 1000;
  options_.max_file = 1;
  write_numbers(0, 100);
  EXPECT_FALSE(sys::path_exists(options_.path + ".1"));
  EXPECT_LE(content().size(), 1100u);
  EXPECT_EQ(texts(*reader()).back(), "99\n");
}

TEST_F(Logs, a_negative_max_size_never_rotates) {
  options_.max_size = -1;
  write_numbers(0, 1000);
  EXPECT_FALSE(sys::path_exists(options_.path + ".1"));
  EXPECT_EQ(texts(*reader()).size(), 1000u);
}

TEST_F(Logs, tail_counts_from_the_end) {
  write_numbers(0, 5000);
  EXPECT_THAT(texts(*reader({.tail = 2})), ElementsAre("4998\n", "4999\n"));
  EXPECT_THAT(texts(*reader({.tail = 0})), ElementsAre());
  EXPECT_EQ(texts(*reader({.tail = 4999})).front(), "1\n");
  EXPECT_EQ(texts(*reader({.tail = 5000})).size(), 5000u);
  EXPECT_EQ(texts(*reader({.tail = 9999})).size(), 5000u);
}

TEST_F(Logs, tail_reaches_into_rotated_files) {
  options_.max_size = 2000;
  options_.max_file = 5;
  write_numbers(0, 100);
  auto all = texts(*reader());
  for (int64_t tail = 0; tail <= static_cast<int64_t>(all.size()) + 1; ++tail) {
    auto got = texts(*reader({.tail = tail}));
    size_t expected = std::min(static_cast<size_t>(tail), all.size());
    ASSERT_EQ(got, std::vector<std::string>(all.end() - static_cast<std::ptrdiff_t>(expected), all.end())) << tail;
  }
}

TEST_F(Logs, tail_ignores_an_unfinished_last_line) {
  write_numbers(0, 3);
  append_raw("{\"log\":\"torn");
  EXPECT_THAT(texts(*reader({.tail = 1})), ElementsAre("2\n"));
}

TEST_F(Logs, since_and_until_are_inclusive) {
  write_numbers(0, 10);
  EXPECT_THAT(texts(*reader({.since = at(8)})), ElementsAre("8\n", "9\n"));
  EXPECT_THAT(texts(*reader({.until = at(1)})), ElementsAre("0\n", "1\n"));
  EXPECT_THAT(texts(*reader({.since = at(3), .until = at(4)})), ElementsAre("3\n", "4\n"));
  EXPECT_THAT(texts(*reader({.since = at(5), .tail = 2})), ElementsAre("8\n", "9\n"));
}

TEST_F(Logs, streams_are_filtered) {
  auto log = writer();
  ASSERT_TRUE(log->write(Stream::Stdout, "out\n", at(0)));
  ASSERT_TRUE(log->write(Stream::Stderr, "err\n", at(1)));
  EXPECT_THAT(texts(*reader({.stdout_ = false})), ElementsAre("err\n"));
  EXPECT_THAT(texts(*reader({.stderr_ = false})), ElementsAre("out\n"));
}

TEST_F(Logs, a_missing_file_is_an_empty_log_that_can_be_followed) {
  auto follower = reader();
  EXPECT_FALSE(follower->next().value());
  write_numbers(0, 1);
  EXPECT_THAT(texts(*follower), ElementsAre("0\n"));
}

TEST_F(Logs, a_follower_sees_a_line_only_when_it_is_complete) {
  write_numbers(0, 1);
  auto follower = reader();
  EXPECT_THAT(texts(*follower), ElementsAre("0\n"));
  append_raw("{\"log\":\"a\\n\",\"stream\":\"stdout\",");
  EXPECT_THAT(texts(*follower), ElementsAre());
  append_raw("\"time\":\"2024-01-01T00:00:00Z\"}\n");
  EXPECT_THAT(texts(*follower), ElementsAre("a\n"));
}

TEST_F(Logs, a_follower_reads_every_line_through_many_rotations) {
  options_.max_size = 700;
  options_.max_file = 4;
  auto log = writer();
  auto follower = reader();
  int next = 0;
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(log->write(Stream::Stdout, std::to_string(i) + "\n", at(i)));
    if (i % 9 != 0) continue;  // at most one file behind
    for (const auto& text : texts(*follower)) EXPECT_EQ(text, std::to_string(next++) + "\n");
    EXPECT_EQ(next, i + 1);
  }
}

TEST_F(Logs, a_follower_that_was_overtaken_goes_on_with_what_is_left) {
  options_.max_size = 700;
  options_.max_file = 2;
  write_numbers(0, 5);
  auto follower = reader();
  EXPECT_EQ(texts(*follower).size(), 5u);
  write_numbers(5, 200);
  auto rest = texts(*follower);
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(rest.back(), "199\n");
  for (size_t i = 1; i < rest.size(); ++i) EXPECT_LT(std::stoi(rest[i - 1]), std::stoi(rest[i]));
}

TEST_F(Logs, the_poll_descriptor_wakes_for_a_new_line) {
  write_numbers(0, 1);
  auto follower = reader();
  EXPECT_EQ(texts(*follower).size(), 1u);
  follower->acknowledge();
  pollfd poller{follower->poll_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&poller, 1, 0), 0);
  write_numbers(1, 2);
  EXPECT_EQ(::poll(&poller, 1, 2000), 1);
  follower->acknowledge();
  EXPECT_THAT(texts(*follower), ElementsAre("1\n"));
}

TEST_F(Logs, garbage_and_records_without_end_are_skipped) {
  append_raw("not json\n\n" + std::string(3 << 20, 'z') + "\n");
  write_numbers(0, 1);
  EXPECT_THAT(texts(*reader()), ElementsAre("0\n"));
}

TEST_F(Logs, a_writer_ends_the_record_that_a_killed_one_left_torn) {
  write_numbers(0, 1);
  append_raw("{\"log\":\"torn");
  write_numbers(1, 2);
  EXPECT_THAT(texts(*reader()), ElementsAre("0\n", "1\n"));
}

TEST_F(Logs, a_file_truncated_in_place_is_read_from_its_beginning) {
  write_numbers(0, 50);
  auto follower = reader();
  EXPECT_EQ(texts(*follower).size(), 50u);
  ASSERT_EQ(::truncate(options_.path.c_str(), 0), 0);
  write_numbers(0, 2);
  EXPECT_THAT(texts(*follower), ElementsAre("0\n", "1\n"));
}

}  // namespace
}  // namespace sampan::logs
