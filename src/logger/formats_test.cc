// What goes to the servers, byte by byte.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

#include "logger/internal/fluentd.h"
#include "logger/internal/gelf.h"
#include "logger/internal/journald.h"
#include "logger/internal/syslog.h"

namespace sampan::logger {
namespace {

using logs::Stream;

// 2026-01-02 03:04:05.006007008 UTC
constexpr codec::Time kTime{1'767'323'045'006'007'008};

ForwardedEntry entry_of(std::string text, Stream stream = Stream::Stdout) {
  return {.stream = stream, .time = kTime, .text = std::move(text)};
}

class InUtc : public testing::Test {
 protected:
  InUtc() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
};
using SyslogFormats = InUtc;

TEST_F(SyslogFormats, each_has_its_header) {
  SyslogStyle style{.facility = 16 << 3, .host = "box", .tag = "web", .pid = 7};
  auto text = [&](SyslogFormat format, Stream stream) {
    style.format = format;
    return format_syslog(style, entry_of("hi there", stream));
  };
  EXPECT_EQ(text(SyslogFormat::Unix, Stream::Stdout), "<134>Jan  2 03:04:05 web[7]: hi there\n");
  EXPECT_EQ(text(SyslogFormat::Rfc3164, Stream::Stderr), "<131>Jan  2 03:04:05 box web[7]: hi there\n");
  EXPECT_EQ(text(SyslogFormat::Rfc5424, Stream::Stdout), "<134>1 2026-01-02T03:04:05Z box web 7 web - hi there\n");
  EXPECT_EQ(text(SyslogFormat::Rfc5424Micro, Stream::Stdout),
            "<134>1 2026-01-02T03:04:05.006007Z box web 7 web - hi there\n");
  style.count_bytes = true;
  EXPECT_EQ(text(SyslogFormat::Rfc5424, Stream::Stdout), "53 <134>1 2026-01-02T03:04:05Z box web 7 web - hi there\n");
}

TEST_F(SyslogFormats, other_zones_have_their_offset) {
  ::setenv("TZ", "XXX-5:30", 1);
  ::tzset();
  SyslogStyle style{.format = SyslogFormat::Rfc5424, .facility = 24, .host = "box", .tag = "t", .pid = 1};
  EXPECT_EQ(format_syslog(style, entry_of("x")), "<30>1 2026-01-02T08:34:05+05:30 box t 1 t - x\n");
}

TEST(Gelf, a_message_is_json_with_the_containers_facts) {
  ForwardHello hello{.settings = {{"container_id", "abc"}, {"container_name", "web"}, {"tag", "t"}},
                     .attributes = {{"team", "blue"}, {"_kept", "1"}}};
  EXPECT_EQ(format_gelf("box", entry_of("say \"x\"\t\xff", Stream::Stderr), format_gelf_extra(hello)),
            R"({"version":"1.1","host":"box","short_message":"say \"x\"\u0009\ufffd","timestamp":1767323045.006,)"
            R"("level":3,"_container_id":"abc","_container_name":"web","_image_id":"","_image_name":"","_command":"",)"
            R"("_tag":"t","_created":"","_kept":"1","_team":"blue"})");
}

TEST(Gelf, only_real_utf8_is_passed_on) {
  EXPECT_EQ(quote_json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
  EXPECT_EQ(quote_json("\xc0\x80"), "\"\\ufffd\\ufffd\"");           // overlong
  EXPECT_EQ(quote_json("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")");  // a surrogate
  EXPECT_EQ(quote_json("\xe2\x82"), R"("\ufffd\ufffd")");            // torn
}

TEST(Gelf, what_fits_goes_whole_and_the_rest_in_numbered_chunks) {
  EXPECT_EQ(split_gelf(std::string(1420, 'a'), "12345678"), std::vector{std::string(1420, 'a')});
  auto chunks = split_gelf(std::string(1421, 'a'), "12345678");
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0], std::string("\x1e\x0f"
                                   "12345678\0\x02",
                                   12) +
                           std::string(1408, 'a'));
  EXPECT_EQ(chunks[1], std::string("\x1e\x0f"
                                   "12345678\x01\x02",
                                   12) +
                           std::string(13, 'a'));
  EXPECT_EQ(split_gelf(std::string(128 * 1408, 'a'), "12345678").size(), 128u);
  EXPECT_TRUE(split_gelf(std::string(128 * 1408 + 1, 'a'), "12345678").empty());
}

TEST(Gelf, both_compressions_come_back) {
  for (auto [compression, window] : {std::pair(GelfCompression::Gzip, 31), std::pair(GelfCompression::Zlib, 15)}) {
    std::string packed = compress_gelf("hello hello hello", compression, 9).value();
    z_stream stream{};
    ASSERT_EQ(::inflateInit2(&stream, window), Z_OK);
    std::string out(100, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    ::inflateEnd(&stream);
    EXPECT_EQ(out, "hello hello hello");
  }
}

TEST(Fluentd, an_entry_is_an_array_of_four) {
  FluentdStyle style{.tag = "t", .container_id = "abc", .container_name = "/web"};
  EXPECT_EQ(format_fluentd(style, entry_of("hi"), ""), std::string("\x94\xa1t\xce\x69\x57\x35\xa5\x84"
                                                                   "\xac"
                                                                   "container_id\xa3"
                                                                   "abc"
                                                                   "\xae"
                                                                   "container_name\xa4/web"
                                                                   "\xa3log\xa2hi"
                                                                   "\xa6source\xa6stdout\x80"));
}

TEST(Fluentd, exact_times_are_an_extension_and_chunks_an_option) {
  FluentdStyle style{.tag = "t", .sub_seconds = true};
  std::string bytes = format_fluentd(style, entry_of("hi"), "id");
  EXPECT_THAT(bytes, testing::StartsWith(std::string("\x94\xa1t\xd7\0\x69\x57\x35\xa5\0\x5b\xa8\xe0", 13)));
  EXPECT_THAT(bytes, testing::EndsWith("\x81\xa5"
                                       "chunk\xa2id"));
  EXPECT_TRUE(
      is_fluentd_ack("\x81\xa3"
                     "ack\xa2id",
                     "id"));
  EXPECT_FALSE(
      is_fluentd_ack("\x81\xa3"
                     "ack\xa2ie",
                     "id"));
  EXPECT_FALSE(
      is_fluentd_ack("\x81\xa3"
                     "ack",
                     "id"));
}

TEST(Fluentd, parts_of_a_long_line_say_so) {
  ForwardedEntry entry = entry_of("x");
  entry.partial = entry.last = true;
  entry.ordinal = 3;
  entry.partial_id = "p";
  std::string bytes = format_fluentd({}, entry, "");
  EXPECT_THAT(bytes, testing::HasSubstr("\xac"
                                        "partial_last\xa4true"));
  EXPECT_THAT(bytes, testing::HasSubstr("\xaf"
                                        "partial_ordinal\xa1"
                                        "3"));
}

TEST(Fluentd, lengths_choose_their_form) {
  auto head = [](size_t size) {
    std::string out;
    pack_string(out, std::string(size, 'x'));
    return out.substr(0, out.size() - size);
  };
  EXPECT_EQ(head(31), "\xbf");
  EXPECT_EQ(head(32), "\xd9\x20");
  EXPECT_EQ(head(256), std::string("\xda\x01\x00", 3));
  EXPECT_EQ(head(65536), std::string("\xdb\x00\x01\x00\x00", 5));
}

TEST(Journald, fields_are_lines_and_newlines_need_a_length) {
  std::string out;
  append_field(out, "A", "x");
  append_field(out, "B", "x\ny");
  EXPECT_EQ(out, std::string("A=x\nB\n\x03\0\0\0\0\0\0\0x\ny\n", 18));
}

TEST(Journald, an_entry_has_dockers_fields) {
  ForwardHello hello{.settings = {{"container_id", "0123456789abcdef"},
                                  {"container_name", "web"},
                                  {"image_name", "nginx:1"},
                                  {"tag", "t"}},
                     .attributes = {{"_my.label", "v"}, {"9", "dropped"}}};
  EXPECT_EQ(format_journal_entry(entry_of("hi", Stream::Stderr), format_journal_fields(hello)),
            "MESSAGE=hi\nPRIORITY=3\nSYSLOG_TIMESTAMP=2026-01-02T03:04:05.006007008Z\nCONTAINER_ID=0123456789ab\n"
            "CONTAINER_ID_FULL=0123456789abcdef\nCONTAINER_NAME=web\nCONTAINER_TAG=t\nIMAGE_NAME=nginx:1\n"
            "SYSLOG_IDENTIFIER=t\nMY_LABEL=v\n");
}

TEST(Journald, only_the_last_part_is_no_partial_message) {
  ForwardedEntry entry = entry_of("x");
  entry.partial = true;
  entry.ordinal = 1;
  entry.partial_id = "p";
  EXPECT_THAT(format_journal_entry(entry, ""), testing::HasSubstr("CONTAINER_PARTIAL_MESSAGE=true\n"));
  entry.last = true;
  EXPECT_THAT(format_journal_entry(entry, ""), testing::Not(testing::HasSubstr("CONTAINER_PARTIAL_MESSAGE")));
}

}  // namespace
}  // namespace sampan::logger
