#include "shim/messages.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "shim/internal/client.h"
#include "sys/file.h"
#include "sys/packet.h"

namespace sampan::shim {
namespace {

TEST(ShimMessages, a_start_request_survives_the_trip_with_its_seccomp_program) {
  StartRequest request;
  request.id = "abc";
  request.generation = 42;
  request.dir = "/run/x";
  request.spec.hostname = "box";
  request.spec.process.emplace().args = {"sh", "-c", "echo ü"};
  request.spec.linux_.emplace().seccomp.emplace().default_action = "SCMP_ACT_ERRNO";
  request.rootfs = {.type = "overlay", .options = {"lowerdir+=/a"}};
  request.tty = true;
  request.log.attributes = {{"k", "v"}};
  request.log.max_size = -1;
  request.seccomp = runtime::SeccompProgram{1, UINT64_MAX, 3};
  auto file = make_payload(request).value();
  auto got = read_start_payload(file.get()).value();
  EXPECT_EQ(got.message.id, "abc");
  EXPECT_EQ(got.message.generation, 42u);
  EXPECT_EQ(got.message.spec.process->args, request.spec.process->args);
  EXPECT_EQ(got.message.rootfs.options, request.rootfs.options);
  EXPECT_TRUE(got.message.tty);
  EXPECT_FALSE(got.message.open_stdin);
  EXPECT_EQ(writer_options_of(got.message.log).attributes, request.log.attributes);
  EXPECT_EQ(writer_options_of(got.message.log).max_size, -1);
  EXPECT_EQ(got.seccomp, request.seccomp);
  EXPECT_FALSE(got.message.spec.linux_->seccomp) << "the compiled program replaces the section";
}

TEST(ShimMessages, an_empty_seccomp_program_differs_from_none) {
  ExecRequest request;
  EXPECT_FALSE(read_exec_payload(make_payload(request)->get())->seccomp);
  request.seccomp.emplace();
  EXPECT_TRUE(read_exec_payload(make_payload(request)->get())->seccomp);
}

TEST(ShimMessages, torn_payloads_are_refused) {
  ExecRequest request;
  request.exec_id = "e";
  auto file = make_payload(request).value();
  std::string whole = sys::read_memory_file(file.get()).value();
  for (size_t length = 0; length < whole.size(); length += 3) {
    std::string_view part[] = {std::string_view(whole).substr(0, length)};
    EXPECT_FALSE(read_exec_payload(sys::make_memory_file("torn", part)->get())) << length;
  }
}

TEST(ShimMessages, what_a_later_version_adds_is_ignored) {
  auto request = parse_request(R"({"op":"hello","protocol":99,"attach":{"colour":"red"},"haste":{"a":[1]},"list":[]})");
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->op, "hello");
  EXPECT_EQ(request->protocol, 99);
  auto reply = parse_reply(R"({"pid":7,"generation":3,"protocol":99,"mood":"good"})");
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->pid, 7);
  auto event = parse_event(R"({"kind":4711,"number":5,"generation":3,"news":{}})");
  ASSERT_TRUE(event) << event.error().message();
  EXPECT_EQ(event->number, 5u) << "it can be acknowledged";
  auto exit = parse_exit_record(
      R"({"generation":3,"exit_code":4,"finished_at":"2026-01-01T00:00:00Z","weather":1,"journal":[{"kind":99,"x":1}]})");
  ASSERT_TRUE(exit) << exit.error().message();
  EXPECT_EQ(exit->exit_code, 4);
}

// Written by the first build that had shims: what was added since has its default.
TEST(ShimMessages, what_an_earlier_version_does_not_say_has_its_default) {
  auto reply = parse_reply(R"({"pid":7,"generation":3})");
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->protocol, 0);
  auto event = parse_event(R"({"number":1,"generation":3,"exit_code":137,"time":"2026-01-01T00:00:00Z"})");
  ASSERT_TRUE(event) << event.error().message();
  EXPECT_EQ(shim_event_of(*event).kind, ShimEvent::Kind::Exit);
  EXPECT_EQ(event->signal, 0);
  auto exit =
      parse_exit_record(R"({"generation":3,"exit_code":137,"oom_killed":true,"finished_at":"2026-01-01T00:00:00Z"})");
  ASSERT_TRUE(exit) << exit.error().message();
  EXPECT_TRUE(exit->oom_killed);
  EXPECT_TRUE(exit->missed.empty());
}

TEST(ShimMessages, errors_travel_as_data) {
  Error error = errno_error(ENOENT, "exec \"foo\"").context("start container");
  auto reply = parse_reply(format_reply(reply_of(error))).value();
  auto back = result_of(reply);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().message(), error.message());
  EXPECT_EQ(back.error().code(), Code::NotFound);
  EXPECT_EQ(back.error().errno_value(), ENOENT);
  EXPECT_TRUE(result_of(parse_reply(format_reply({.pid = 5})).value()));
}

TEST(ShimMessages, an_error_with_bytes_that_are_not_text_still_arrives) {
  auto reply = parse_reply(format_reply(reply_of(Error(Code::NotFound, "no such file: \xff\xfe!"))));
  ASSERT_TRUE(reply);
  EXPECT_NE(reply->message.find("no such file"), std::string::npos);
}

TEST(ShimMessages, frames_have_the_stream_and_a_big_endian_length) {
  EXPECT_EQ(frame_header(logs::Stream::Stderr, 0x01020304), (std::array<char, 8>{2, 0, 0, 0, 1, 2, 3, 4}));
}

TEST(ShimPackets, carry_descriptors_and_report_the_end) {
  auto [a, b] = sys::make_packet_pair().value();
  auto [x, y] = sys::make_stream_pair().value();
  int fds[] = {x.get()};
  ASSERT_TRUE(sys::send_packet(a.get(), "hello", fds));
  x.reset();
  auto packet = sys::receive_packet(b.get(), std::chrono::milliseconds(1000)).value();
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->bytes, "hello");
  ASSERT_EQ(packet->fds.size(), 1u);
  ASSERT_TRUE(sys::write_all(packet->fds[0].get(), "!"));
  char c;
  EXPECT_EQ(::read(y.get(), &c, 1), 1);
  EXPECT_FALSE(sys::receive_packet(b.get(), std::chrono::milliseconds(0)).value());
  a.reset();
  EXPECT_TRUE(sys::receive_packet(b.get(), std::chrono::milliseconds(0)).value()->end);
  EXPECT_EQ(sys::send_packet(b.get(), "x").error().code(), Code::Unavailable);
}

TEST(ShimPackets, last_words_arrive_although_their_sender_left_with_ours_unread) {
  auto [a, b] = sys::make_packet_pair().value();
  ASSERT_TRUE(sys::send_packet(b.get(), "an acknowledgement that nobody reads"));
  ASSERT_TRUE(sys::send_packet(a.get(), "the exit"));
  a.reset();
  auto packet = sys::receive_packet(b.get(), std::chrono::milliseconds(0)).value();
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->bytes, "the exit");
  EXPECT_TRUE(sys::receive_packet(b.get(), std::chrono::milliseconds(0)).value()->end);
}

class ExitRecords : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/shim.XXXXXX";
    dir_ = ::mkdtemp(name);
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }
  std::string dir_;
};

TEST_F(ExitRecords, are_read_back) {
  WireExit record{
      .generation = 3, .exit_code = 137, .signal = 9, .oom_killed = true, .finished_at = "2026-01-02T03:04:05Z"};
  record.journal.push_back(
      {.kind = static_cast<int>(ShimEvent::Kind::Oom), .memory_limit = 4096, .time = "2026-01-02T03:04:04Z"});
  EXPECT_EQ(format_exit_record(record),
            "{\"generation\":3,\"exit_code\":137,\"signal\":9,\"oom_killed\":true,\"unhealthy\":false,"
            "\"finished_at\":\"2026-01-02T03:04:05Z\","
            "\"journal\":[{\"kind\":2,\"memory_limit\":4096,\"time\":\"2026-01-02T03:04:04Z\"}]}");
  ASSERT_TRUE(sys::replace_file(dir_ + "/exit.json", format_exit_record(record)));
  auto back = read_exit_record(dir_).value();
  EXPECT_EQ(back.exit_code, 137);
  EXPECT_EQ(back.signal, 9);
  EXPECT_TRUE(back.oom_killed);
  ASSERT_EQ(back.missed.size(), 1u);
  EXPECT_EQ(back.missed[0].memory_limit, 4096u);
}

TEST_F(ExitRecords, a_missing_or_damaged_record_is_never_success) {
  EXPECT_EQ(read_exit_record(dir_).error().code(), Code::NotFound);
  for (const char* bad : {"", "{}", "{\"generation\":3", "{\"exit_code\":0}", "[]"}) {
    ASSERT_TRUE(sys::replace_file(dir_ + "/exit.json", bad));
    EXPECT_EQ(read_exit_record(dir_).error().code(), Code::DataLoss) << bad;
  }
}

}  // namespace
}  // namespace sampan::shim
