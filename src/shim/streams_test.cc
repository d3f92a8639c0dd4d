// The streams of a process, with the test in the process's place.

#include "shim/internal/streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/packet.h"

namespace sampan::shim {
namespace {

class Streams : public testing::Test {
 protected:
  void open(StreamOptions options = {}) {
    streams_ = std::make_unique<ProcessStreams>(*loop_, scratch_, options, [this] { ++detaches_; });
    auto stdio = streams_->open_pipes().value();
    if (stdio.in >= 0) in_ = sys::Fd(::fcntl(stdio.in, F_DUPFD_CLOEXEC, 0));
    out_ = sys::Fd(::fcntl(stdio.out, F_DUPFD_CLOEXEC, 0));
    err_ = sys::Fd(::fcntl(stdio.err, F_DUPFD_CLOEXEC, 0));
    streams_->adopt({});
  }
  /// A process with a terminal: a socket pair stands in for the pseudo-terminal.
  void open_terminal() {
    streams_ = std::make_unique<ProcessStreams>(*loop_, scratch_, StreamOptions{.tty = true, .open_stdin = true},
                                                [this] { ++detaches_; });
    ASSERT_TRUE(streams_->open_pipes());
    auto [master, process] = sys::make_stream_pair().value();
    in_ = std::move(process);
    streams_->adopt(std::move(master));
  }
  sys::Fd attach(WireAttach wiring, std::string_view leftover = {}) {
    auto [ours, theirs] = sys::make_stream_pair().value();
    EXPECT_TRUE(streams_->attach(std::move(theirs), wiring, leftover));
    return std::move(ours);
  }
  void run_once(int timeout_ms = 0) {
    loop_->step(timeout_ms);
    streams_->tick(Clock::now());
  }
  template <typename Condition>
  void run_until(Condition condition) {
    auto end = Clock::now() + std::chrono::seconds(5);
    while (!condition() && Clock::now() < end) run_once(10);
    ASSERT_TRUE(condition());
  }
  static std::string take(int fd) {
    char buffer[65536];
    ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : std::string();
  }
  static bool at_end(int fd) {
    char c;
    return ::recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }
  std::string collect(int fd, size_t size) {
    std::string out;
    run_until([&] { return (out += take(fd)).size() >= size; });
    return out;
  }
  std::string process_reads(size_t size) {
    std::string out(size, 0);
    size_t got = 0;
    ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
    run_until([&] {
      ssize_t n = ::read(in_.get(), out.data() + got, size - got);
      if (n > 0) got += static_cast<size_t>(n);
      return got == size;
    });
    return out;
  }
  bool process_sees_end() {
    char c;
    ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
    return ::read(in_.get(), &c, 1) == 0;
  }

  std::optional<EventLoop> loop_ = EventLoop::open().value();
  ScratchBuffer scratch_;
  std::unique_ptr<ProcessStreams> streams_;
  sys::Fd in_, out_, err_;
  int detaches_ = 0;
};

const WireAttach kOutput{.stdout_ = true, .stderr_ = true, .multiplexed = true};
constexpr StreamOptions kInteractive{.open_stdin = true, .stdin_once = true};
WireAttach interactive(std::string keys = {}) {
  return {.stdin_ = true, .stdout_ = true, .stderr_ = true, .multiplexed = false, .detach_keys = std::move(keys)};
}

TEST_F(Streams, output_reaches_every_client_in_frames_of_its_stream) {
  open();
  auto first = attach(kOutput), second = attach({.stderr_ = true, .multiplexed = true});
  ASSERT_TRUE(sys::write_all(out_.get(), "hi\n"));
  EXPECT_EQ(collect(first.get(), 11), std::string("\1\0\0\0\0\0\0\3hi\n", 11));
  ASSERT_TRUE(sys::write_all(err_.get(), "no"));
  EXPECT_EQ(collect(first.get(), 10), std::string("\2\0\0\0\0\0\0\2no", 10));
  EXPECT_EQ(collect(second.get(), 10), std::string("\2\0\0\0\0\0\0\2no", 10));
}

TEST_F(Streams, a_slow_reader_gets_every_byte_and_holds_the_process_back) {
  open();
  auto client = attach({.stdout_ = true});
  ::fcntl(out_.get(), F_SETFL, O_NONBLOCK);
  std::string pattern(40'000, 0);
  for (size_t i = 0; i < pattern.size(); ++i) pattern[i] = static_cast<char>(i * 7);
  size_t written = 0, total = 0, read = 0;
  constexpr size_t kAll = 6 << 20;
  // The process writes until it blocks: everything is full, and no more than bounded buffers hold it.
  auto write_some = [&] {
    while (written < kAll) {
      size_t at = written % pattern.size();
      ssize_t n = ::write(out_.get(), pattern.data() + at, std::min(pattern.size() - at, kAll - written));
      if (n <= 0) return;
      written += static_cast<size_t>(n);
    }
  };
  for (int i = 0; i < 1000; ++i) {
    write_some();
    run_once();
  }
  EXPECT_LT(written, size_t{2} << 20);
  run_until([&] {
    write_some();
    std::string got = take(client.get());
    for (char c : got) total += c != pattern[read++ % pattern.size()];
    return read == kAll;
  });
  EXPECT_EQ(total, 0u) << "bytes out of place";
}

TEST_F(Streams, a_client_that_takes_nothing_is_dropped_and_the_process_goes_on) {
  open();
  auto stuck = attach({.stdout_ = true});
  std::string block(32 << 10, 'x');
  ::fcntl(out_.get(), F_SETFL, O_NONBLOCK);
  auto blocked = [&] {
    ssize_t n = ::write(out_.get(), block.data(), block.size());
    run_once();
    return n <= 0;
  };
  run_until([&] { return blocked() && blocked() && blocked(); });
  ASSERT_TRUE(streams_->deadline()) << "somebody has to wake up for it";
  streams_->tick(Clock::now() + kPatience + std::chrono::seconds(1));
  EXPECT_FALSE(streams_->has_clients());
  run_until([&] { return ::write(out_.get(), block.data(), block.size()) > 0; });
}

TEST_F(Streams, half_close_ends_the_input_and_the_output_goes_on) {
  open(kInteractive);
  auto client = attach(interactive(), "left ");
  ASSERT_TRUE(sys::write_all(client.get(), "over"));
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(process_reads(9), "left over");
  run_until([&] { return process_sees_end(); });
  ASSERT_TRUE(sys::write_all(out_.get(), "still here"));
  EXPECT_EQ(collect(client.get(), 10), "still here");
}

TEST_F(Streams, without_stdin_once_the_input_stays_open_for_the_next_client) {
  open({.open_stdin = true});
  {
    auto client = attach(interactive(), "one");
    EXPECT_EQ(process_reads(3), "one");
  }
  run_until([&] { return !streams_->has_clients(); });
  auto next = attach(interactive(), "two");
  EXPECT_EQ(process_reads(3), "two");
  EXPECT_FALSE(process_sees_end());
}

TEST_F(Streams, input_that_was_sent_before_the_client_left_arrives) {
  open(kInteractive);
  {
    auto client = attach(interactive());
    ASSERT_TRUE(sys::write_all(client.get(), "goodbye"));
  }
  EXPECT_EQ(process_reads(7), "goodbye");
  run_until([&] { return process_sees_end(); });
}

TEST_F(Streams, a_process_that_does_not_read_holds_the_client_back_and_loses_nothing) {
  open(kInteractive);
  auto client = attach(interactive());
  std::string all;
  for (int i = 0; all.size() < 600'000; ++i) all += std::to_string(i) + ",";
  size_t sent = 0;
  auto send_some = [&] {
    ssize_t n = ::send(client.get(), all.data() + sent, all.size() - sent, MSG_DONTWAIT);
    if (n > 0) sent += static_cast<size_t>(n);
  };
  for (int i = 0; i < 100; ++i) {
    send_some();
    run_once();
  }
  EXPECT_LT(sent, all.size()) << "somebody buffers without bound";
  std::string got;
  ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
  run_until([&] {
    send_some();
    char buffer[8192];
    ssize_t n = ::read(in_.get(), buffer, sizeof buffer);
    if (n > 0) got.append(buffer, static_cast<size_t>(n));
    return got.size() == all.size();
  });
  EXPECT_EQ(got, all);
}

TEST_F(Streams, input_for_a_process_that_closed_it_is_swallowed) {
  open(kInteractive);
  ::signal(SIGPIPE, [](int) {});
  auto client = attach(interactive());
  in_.reset();
  std::string block(64 << 10, 'x');
  size_t sent = 0;
  run_until([&] {
    ssize_t n = ::send(client.get(), block.data(), block.size(), MSG_DONTWAIT);
    if (n > 0) sent += static_cast<size_t>(n);
    return sent > (1 << 20);
  });
  ASSERT_TRUE(sys::write_all(out_.get(), "alive"));
  EXPECT_EQ(collect(client.get(), 5), "alive");
}

TEST_F(Streams, detach_keys_let_the_client_go_and_keep_the_process) {
  open_terminal();
  auto client = attach(interactive("ctrl-p,ctrl-q"));
  ASSERT_TRUE(sys::write_all(client.get(), "ab\x10\x11"));
  EXPECT_EQ(process_reads(2), "ab");
  run_until([&] { return at_end(client.get()); });
  EXPECT_EQ(detaches_, 1);
  EXPECT_FALSE(process_sees_end());
}

TEST_F(Streams, unknown_detach_keys_are_refused) {
  open_terminal();
  auto [ours, theirs] = sys::make_stream_pair().value();
  EXPECT_EQ(streams_->attach(std::move(theirs), interactive("ctrl-!"), {}).error().code(), Code::InvalidArgument);
}

TEST_F(Streams, piped_input_has_no_detach_keys) {
  open(kInteractive);
  auto client = attach(interactive("ctrl-p,ctrl-q"));
  ASSERT_TRUE(sys::write_all(client.get(), "ab\x10\x11"));
  EXPECT_EQ(process_reads(4), "ab\x10\x11");
  EXPECT_EQ(detaches_, 0);
}

TEST_F(Streams, an_idle_client_that_leaves_is_noticed) {
  open();
  auto client = attach(kOutput);
  EXPECT_TRUE(streams_->has_clients());
  client.reset();
  run_until([&] { return !streams_->has_clients(); });
}

TEST_F(Streams, a_client_that_only_listens_may_shut_down_its_side) {
  open();
  auto client = attach({.stdout_ = true});
  ::shutdown(client.get(), SHUT_WR);
  run_once();
  run_once();
  ASSERT_TRUE(sys::write_all(out_.get(), "yes"));
  EXPECT_EQ(collect(client.get(), 3), "yes");
}

TEST_F(Streams, the_end_delivers_everything_and_then_closes) {
  open();
  auto client = attach({.stdout_ = true});
  ASSERT_TRUE(sys::write_all(out_.get(), std::string(60'000, 'z')));
  out_.reset();
  err_.reset();
  streams_->drain();
  EXPECT_TRUE(streams_->output_ended());
  streams_->close_pipes();
  streams_->finish_clients();
  EXPECT_EQ(collect(client.get(), 60'000).size(), 60'000u);
  run_until([&] { return at_end(client.get()); });
  client.reset();
  run_until([&] { return !streams_->has_clients(); });
}

TEST_F(Streams, resize_needs_a_terminal) {
  open();
  EXPECT_EQ(streams_->resize(1, 2).error().code(), Code::Conflict);
}

}  // namespace
}  // namespace sampan::shim
