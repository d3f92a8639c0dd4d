// The addresses of servers, and the way from the shim to the logger.

#include "logs/forward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "logs/endpoint.h"
#include "sys/file.h"
#include "sys/packet.h"

namespace sampan::logs {
namespace {

TEST(Endpoint, syslog_has_a_default_port_and_sockets) {
  EXPECT_EQ(parse_syslog_address("").value(), Endpoint{});
  EXPECT_EQ(parse_syslog_address("udp://a").value(), (Endpoint{"udp", "a", "514", ""}));
  EXPECT_EQ(parse_syslog_address("tcp+tls://[::1]:6514").value(), (Endpoint{"tcp+tls", "::1", "6514", ""}));
  EXPECT_EQ(parse_syslog_address("unixgram:///dev/log").value(), (Endpoint{"unixgram", "", "", "/dev/log"}));
  for (const char* wrong : {"a:514", "http://a", "tls://a", "tcp://a:b", "tcp://a:70000", "tcp://a:1:2", "tcp://[::1"})
    EXPECT_FALSE(parse_syslog_address(wrong)) << wrong;
}

TEST(Endpoint, gelf_needs_a_port_and_fluentd_needs_nothing) {
  EXPECT_EQ(parse_gelf_address("udp://a:1").value(), (Endpoint{"udp", "a", "1", ""}));
  for (const char* wrong : {"", "a:1", "udp://a", "unix:///x"}) EXPECT_FALSE(parse_gelf_address(wrong)) << wrong;
  EXPECT_EQ(parse_fluentd_address("").value(), (Endpoint{"tcp", "127.0.0.1", "24224", ""}));
  EXPECT_EQ(parse_fluentd_address("a").value(), (Endpoint{"tcp", "a", "24224", ""}));
  EXPECT_EQ(parse_fluentd_address("tls://a:1").value(), (Endpoint{"tls", "a", "1", ""}));
  EXPECT_EQ(parse_fluentd_address("unix:///x").value(), (Endpoint{"unix", "", "", "/x"}));
  for (const char* wrong : {"udp://a", "a:x", "unix://"}) EXPECT_FALSE(parse_fluentd_address(wrong)) << wrong;
}

TEST(Endpoint, facilities_are_names_or_numbers) {
  EXPECT_EQ(parse_syslog_facility("").value(), 3 << 3);
  EXPECT_EQ(parse_syslog_facility("local7").value(), 23 << 3);
  EXPECT_EQ(parse_syslog_facility("0").value(), 0);
  for (const char* wrong : {"24", "-1", "Kern"}) EXPECT_FALSE(parse_syslog_facility(wrong)) << wrong;
}

/// A program that answers the settings with `answer` and keeps what it gets in `file`.
std::string make_logger(const std::string& name, const std::string& answer, const std::string& file) {
  std::string path = fmt::format("/tmp/logger_test.{}.{}", ::getpid(), name);
  std::string script = fmt::format("#!/bin/bash\nprintf '{}' >&$1\nexec cat <&$1 >{}\n", answer, file);
  EXPECT_TRUE(sys::replace_file(path, script, 0755));
  return path;
}

WriterOptions options_with(const std::string& program) {
  return {.driver = "syslog", .path = "", .forwarding = Forwarding{.program = program, .settings = {{"tag", "t"}}}};
}

TEST(ForwardWriter, the_loggers_own_words_fail_the_start) {
  std::string program = make_logger("refuses", R"(\5\0\0\0sorry)", "/dev/null");
  auto writer = open_writer(options_with(program));
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().message(), "failed to initialize logging driver: sorry");
  ::unlink(program.c_str());
}

TEST(ForwardWriter, a_logger_that_ends_at_once_fails_the_start) {
  EXPECT_FALSE(open_writer(options_with("/bin/true")));
  EXPECT_FALSE(open_writer(options_with("/nonexistent")));
}

TEST(ForwardWriter, entries_arrive_whole) {
  std::string file = fmt::format("/tmp/logger_test.{}.out", ::getpid());
  std::string program = make_logger("takes", R"(\0\0\0\0)", file);
  auto writer = open_writer(options_with(program)).value();
  EXPECT_TRUE(writer->write(Stream::Stdout, "one\ntw", {1}));
  EXPECT_TRUE(writer->write(Stream::Stdout, std::string(20'000, 'x') + "\n", {2}));
  EXPECT_TRUE(writer->flush({3}));
  EXPECT_EQ(writer->backlog_fd(), -1);
  const size_t expected = 24 + 3 + 2 * (24 + 64) + 20'002;
  std::string got;
  for (int i = 0; i < 500 && got.size() < expected; ++i) {
    ::usleep(10'000);
    got = sys::read_file(file).value_or("");
  }
  auto [ours, theirs] = sys::make_stream_pair().value();
  ASSERT_EQ(::send(ours.get(), got.data(), got.size(), 0), static_cast<ssize_t>(got.size()));
  ours.reset();
  ForwardReader reader(theirs.get());
  auto hello = reader.read_hello().value();
  EXPECT_EQ(hello.driver, "syslog");
  EXPECT_EQ(hello.settings.at("tag"), "t");
  ForwardedEntry entry;
  ASSERT_TRUE(reader.next(entry).value());
  EXPECT_EQ(entry.text, "one");
  ASSERT_TRUE(reader.next(entry).value());
  EXPECT_TRUE(entry.partial && !entry.last && entry.ordinal == 1);
  EXPECT_EQ(entry.text.size(), 16u << 10);
  ASSERT_TRUE(reader.next(entry).value());
  EXPECT_TRUE(entry.partial && entry.last && entry.ordinal == 2);
  EXPECT_EQ(entry.text.size(), 20'002u - (16 << 10));
  EXPECT_FALSE(reader.next(entry).value());
  ::unlink(file.c_str());
  ::unlink(program.c_str());
}

TEST(ForwardWriter, a_logger_that_reads_nothing_stalls_only_blocking_mode) {
  std::string path = fmt::format("/tmp/logger_test.{}.deaf", ::getpid());
  ASSERT_TRUE(sys::replace_file(path, "#!/bin/bash\nprintf '\\0\\0\\0\\0' >&$1\nexec sleep 5\n", 0755));
  for (bool blocking : {true, false}) {
    auto options = options_with(path);
    options.forwarding->blocking = blocking;
    auto writer = open_writer(options).value();
    std::string line(1000, 'x');
    line += "\n";
    for (int i = 0; i < 5000; ++i) EXPECT_TRUE(writer->write(Stream::Stdout, line, {1}));
    EXPECT_GE(writer->backlog_fd(), 0);
    EXPECT_EQ(writer->stalled(), blocking);
  }
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace sampan::logs
