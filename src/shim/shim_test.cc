// Zygote, shims and containers together, on a real kernel: root and a static busybox are needed.

#include "shim/shim.h"

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/strings.h"
#include "shim/messages.h"
#include "sys/file.h"
#include "sys/packet.h"

namespace sampan::shim {
namespace {

using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

std::string shim_program() {
  std::string self = sys::read_link("/proc/self/exe").value();
  return self.substr(0, self.rfind("/unit/")) + "/bin/sampan-shim";
}

/// Pids of our children whose command is `name`; the reparented shims are found by their directory instead.
std::vector<pid_t> children_called(const std::string& name) {
  std::vector<pid_t> out;
  for (const auto& entry : sys::list_dir("/proc").value()) {
    auto pid = parse_uint(entry);
    auto stat = pid ? sys::read_file("/proc/" + entry + "/stat") : Result<std::string>(Error(Code::NotFound, ""));
    if (!stat) continue;
    std::string parent = " " + std::to_string(::getpid()) + " ";
    size_t close = stat->rfind(')');
    if (stat->find("(" + name + ")") != std::string::npos &&
        stat->substr(close + 4, parent.size() - 1) == parent.substr(1)) {
      out.push_back(static_cast<pid_t>(*pid));
    }
  }
  return out;
}

size_t open_fds(pid_t pid) {
  return sys::list_dir(fmt::format("/proc/{}/fd", pid)).value().size();
}

class Shims : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || !sys::path_exists("/bin/busybox") || !sys::path_exists(shim_program())) {
      GTEST_SKIP() << "needs root, a static busybox and sampan-shim";
    }
    ::signal(SIGPIPE, SIG_IGN);
    char name[] = "/tmp/shim.XXXXXX";
    root_ = ::mkdtemp(name);
    for (const char* dir : {"bin", "proc", "dev", "sys", "tmp", "etc"})
      ASSERT_TRUE(sys::make_dirs(root_ + "/rootfs/" + dir, 0755));
    ASSERT_TRUE(
        sys::replace_file(root_ + "/rootfs/bin/busybox", *sys::read_file("/bin/busybox"), 0755, sys::Durable::No));
    for (const char* tool : {"sh", "true", "cat", "sleep", "stty", "dd", "ip", "ls"}) {
      ASSERT_EQ(::symlink("busybox", (root_ + "/rootfs/bin/" + tool).c_str()), 0);
    }
    zygote_ = spawn_zygote(shim_program(), root_ + "/run").value();
  }
  void TearDown() override {
    if (root_.empty()) return;
    zygote_.reset();
    EXPECT_TRUE(children_called("sampan-zygote").empty());
    static const auto host = cgroup::detect_host().value();
    EXPECT_TRUE(cgroup::Cgroup::open(host, cgroup_parent()).remove());
    EXPECT_TRUE(sys::remove_tree(root_));
  }

  static std::string cgroup_parent() { return fmt::format("/shim-test-{}", ::getpid()); }

  StartRequest request(std::vector<std::string> args) {
    StartRequest out;
    out.id = fmt::format("c{:063}", ++number_);
    out.generation = 100 + static_cast<uint64_t>(number_);
    out.dir = root_ + "/run/shim/" + out.id;
    out.rootfs = {.destination = "/", .type = "bind", .source = root_ + "/rootfs", .options = {"rbind"}};
    auto& process = out.spec.process.emplace();
    process.args = std::move(args);
    process.cwd = "/";
    process.env = {"PATH=/bin"};
    out.spec.root.emplace();
    auto& linux = out.spec.linux_.emplace();
    for (const char* type : {"pid", "mount", "uts", "ipc", "network"}) linux.namespaces.push_back({type, ""});
    out.spec.mounts = {{.destination = "/proc", .type = "proc", .source = "proc"},
                       {.destination = "/dev", .type = "tmpfs", .source = "tmpfs", .options = {"nosuid", "mode=755"}},
                       {.destination = "/dev/pts",
                        .type = "devpts",
                        .source = "devpts",
                        .options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}}};
    out.cgroup_path = cgroup_parent() + "/" + out.id;
    out.log.path = root_ + "/log-" + out.id;
    return out;
  }
  StartRequest shell(std::string script) { return request({"/bin/sh", "-c", std::move(script)}); }

  /// The next event that the shim sends, acknowledged.
  static std::optional<ShimEvent> wait_event(ShimConnection& connection) {
    auto end = Clock::now() + std::chrono::seconds(10);
    while (Clock::now() < end) {
      auto event = connection.next_event();
      if (!event) return std::nullopt;
      if (*event) return *event;
      pollfd poller{connection.event_fd(), POLLIN, 0};
      ::poll(&poller, 1, 1000);
    }
    return std::nullopt;
  }
  static int wait_exit(ShimConnection& connection) {
    while (auto event = wait_event(connection)) {
      if (event->kind != ShimEvent::Kind::Exit) continue;
      (void)connection.next_event();
      return event->exit_code;
    }
    return -1;
  }
  static bool wait_gone(const std::string& path) {
    auto end = Clock::now() + std::chrono::seconds(5);
    while (sys::path_exists(path) && Clock::now() < end) ::poll(nullptr, 0, 5);
    return !sys::path_exists(path);
  }
  static bool wait_dead(pid_t pid) { return wait_gone(fmt::format("/proc/{}", pid)); }
  /// Reads to the end of the stream.
  static std::string read_all(int fd) {
    std::string out;
    char buffer[65536];
    for (;;) {
      pollfd poller{fd, POLLIN, 0};
      if (::poll(&poller, 1, 5000) <= 0) return out + "<timeout>";
      ssize_t got = ::read(fd, buffer, sizeof buffer);
      if (got <= 0) return out;
      out.append(buffer, static_cast<size_t>(got));
    }
  }
  static std::string read_until(int fd, const std::string& wanted) {
    std::string out;
    char buffer[4096];
    while (out.find(wanted) == std::string::npos) {
      pollfd poller{fd, POLLIN, 0};
      if (::poll(&poller, 1, 5000) <= 0) return out + "<timeout>";
      ssize_t got = ::read(fd, buffer, sizeof buffer);
      if (got <= 0) return out + "<end>";
      out.append(buffer, static_cast<size_t>(got));
    }
    return out;
  }
  std::string log_of(const std::string& id) {
    auto reader = logs::open_reader(root_ + "/log-" + id, {}).value();
    std::string out;
    while (auto line = reader->next().value()) out += (line->stream == logs::Stream::Stderr ? "err:" : "") + line->text;
    return out;
  }
  struct Running {
    std::string id, dir;
    std::unique_ptr<ShimConnection> connection;
  };
  Running start(StartRequest request) {
    Running out{request.id, request.dir, nullptr};
    out.connection = zygote_->create(std::move(request)).value();
    auto started = zygote_->start(*out.connection);
    EXPECT_TRUE(started) << started.error().message();
    return out;
  }
  static sys::Fd attach(ShimConnection& connection, AttachOptions options) {
    auto [ours, theirs] = sys::make_stream_pair().value();
    auto attached = connection.attach(std::move(theirs), options);
    EXPECT_TRUE(attached) << attached.error().message();
    return std::move(ours);
  }
  static ExecRequest exec_request(std::string id, std::string script) {
    ExecRequest out;
    out.exec_id = std::move(id);
    out.process.args = {"/bin/sh", "-c", std::move(script)};
    out.process.cwd = "/";
    out.process.env = {"PATH=/bin"};
    out.attach = {.stdout_ = true, .stderr_ = true, .multiplexed = false};
    return out;
  }

  std::string root_;
  std::unique_ptr<Zygote> zygote_;
  int number_ = 0;
};

TEST_F(Shims, output_is_logged_and_the_exit_is_an_event_and_a_record) {
  auto container = start(shell("echo out; echo err >&2; printf tail; exit 3"));
  EXPECT_GT(container.connection->init_pid(), 1);
  EXPECT_EQ(wait_exit(*container.connection), 3);
  EXPECT_THAT(log_of(container.id), testing::AllOf(HasSubstr("out\n"), HasSubstr("err:err\n"), HasSubstr("tail")));
  auto record = read_exit_record(container.dir).value();
  EXPECT_EQ(record.exit_code, 3);
  EXPECT_EQ(record.signal, 0);
  EXPECT_EQ(record.generation, 101u);
  EXPECT_FALSE(sys::path_exists(container.dir + "/shim.sock"));
  EXPECT_EQ(connect_shim(container.dir).error().code(), Code::NotFound);
  EXPECT_FALSE(sys::path_exists("/sys/fs/cgroup/memory" + cgroup_parent() + "/" + container.id));
}

TEST_F(Shims, a_signal_ends_the_container_with_128_and_its_number) {
  auto container = start(request({"/bin/sleep", "100"}));
  ASSERT_TRUE(container.connection->signal(SIGKILL));
  EXPECT_EQ(wait_exit(*container.connection), 137);
  EXPECT_EQ(read_exit_record(container.dir)->signal, SIGKILL);
}

TEST_F(Shims, a_command_that_cannot_run_is_told_in_the_childs_words_and_leaves_nothing) {
  auto bad = request({"/bin/nonesuch"});
  std::string dir = bad.dir;
  auto connection = zygote_->create(std::move(bad));
  Result<Started> started = connection ? zygote_->start(**connection) : Result<Started>(connection.error());
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr("no such file or directory"));
  if (connection) connection->reset();
  EXPECT_TRUE(wait_gone(dir));
}

TEST_F(Shims, a_daemon_that_leaves_before_start_leaves_no_container) {
  auto wanted = shell("echo never");
  std::string dir = wanted.dir, id = wanted.id;
  auto connection = zygote_->create(std::move(wanted)).value();
  pid_t init = connection->init_pid();
  connection.reset();
  EXPECT_TRUE(wait_dead(init));
  EXPECT_TRUE(wait_gone(dir));
  EXPECT_EQ(log_of(id), "");
}

TEST_F(Shims, a_container_survives_its_daemon_and_the_next_one_gets_the_exit) {
  auto wanted = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done");
  std::string dir = wanted.dir, id = wanted.id;
  auto [ours, theirs] = sys::make_stream_pair().value();
  pid_t daemon = ::fork();
  if (daemon == 0) {
    auto zygote = spawn_zygote(shim_program(), root_ + "/run");
    auto connection = (*zygote)->create(std::move(wanted));
    bool good =
        connection && (*zygote)->start(**connection) && connection.value()->exec(exec_request("e1", "exit 9"), {});
    (void)sys::write_all(theirs.get(), good ? "y" : "n");
    ::pause();
  }
  EXPECT_EQ(read_until(ours.get(), "y"), "y");
  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);
  auto connection = connect_shim(dir).value();
  EXPECT_EQ(connection->generation(), 101u);
  EXPECT_EQ(::kill(connection->init_pid(), 0), 0);
  auto missed = wait_event(*connection);  // the end of the exec that the dead daemon did not acknowledge
  ASSERT_TRUE(missed);
  EXPECT_EQ(missed->kind, ShimEvent::Kind::ExecExit);
  EXPECT_EQ(missed->exit_code, 9);
  ASSERT_TRUE(connection->signal(SIGTERM));
  EXPECT_EQ(wait_exit(*connection), 7);
  EXPECT_EQ(read_exit_record(dir)->exit_code, 7);
  EXPECT_EQ(log_of(id), "ready\n");
}

TEST_F(Shims, an_exit_without_any_daemon_is_in_the_record) {
  auto wanted = shell("read line; exit 5");
  wanted.open_stdin = wanted.stdin_once = true;
  auto container = start(std::move(wanted));
  auto client = attach(*container.connection, {.stdin_ = true});
  pid_t init = container.connection->init_pid();
  container.connection.reset();
  client.reset();
  EXPECT_TRUE(wait_dead(init));
  EXPECT_TRUE(wait_gone(container.dir + "/shim.sock"));
  EXPECT_EQ(read_exit_record(container.dir)->exit_code, 5);
}

TEST_F(Shims, a_client_attached_before_start_misses_nothing_and_its_half_close_ends_the_input) {
  auto wanted = request({"/bin/cat"});
  wanted.open_stdin = wanted.stdin_once = true;
  auto connection = zygote_->create(std::move(wanted)).value();
  auto client = attach(*connection, {.stdin_ = true, .stdout_ = true, .stderr_ = true, .leftover_input = "first "});
  ASSERT_TRUE(zygote_->start(*connection));
  ASSERT_TRUE(sys::write_all(client.get(), "second"));
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(wait_exit(*connection), 0);
  std::string got = read_all(client.get()), text;
  for (size_t at = 0; at + 8 <= got.size();) {
    EXPECT_EQ(got[at], 1);
    size_t length = static_cast<unsigned char>(got[at + 7]);
    text += got.substr(at + 8, length);
    at += 8 + length;
  }
  EXPECT_EQ(text, "first second");
}

TEST_F(Shims, a_client_gets_every_byte_of_a_fast_producer) {
  auto wanted = request({"/bin/dd", "if=/dev/zero", "bs=64k", "count=320"});
  wanted.log.driver = "none";
  wanted.spec.linux_->devices = {{.path = "/dev/zero", .type = "c", .major = 1, .minor = 5, .file_mode = 0666}};
  auto connection = zygote_->create(std::move(wanted)).value();
  auto client = attach(*connection, {.stdout_ = true, .multiplexed = false});
  ASSERT_TRUE(zygote_->start(*connection));
  size_t left = size_t{320} << 16;
  std::vector<char> buffer(100'000);
  while (left > 0) {
    ssize_t got = ::read(client.get(), buffer.data(), std::min(left, buffer.size()));
    ASSERT_GT(got, 0) << left << " bytes are missing";
    left -= static_cast<size_t>(got);
  }
  EXPECT_EQ(wait_exit(*connection), 0);
  EXPECT_EQ(read_all(client.get()), "");
}

TEST_F(Shims, execs_run_side_by_side_and_report_their_own_codes) {
  auto container = start(request({"/bin/sleep", "100"}));
  auto [ours, theirs] = sys::make_stream_pair().value();
  ASSERT_TRUE(container.connection->exec(exec_request("a", "echo from exec; sleep 0.05; exit 4"), std::move(theirs)));
  ASSERT_TRUE(container.connection->exec(exec_request("b", "exit 0"), {}));
  std::map<std::string, int> codes;
  while (codes.size() < 2) {
    auto event = wait_event(*container.connection);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, ShimEvent::Kind::ExecExit);
    codes[event->exec_id] = event->exit_code;
  }
  (void)container.connection->next_event();
  EXPECT_EQ(codes, (std::map<std::string, int>{{"a", 4}, {"b", 0}}));
  EXPECT_EQ(read_all(ours.get()), "from exec\n");
  EXPECT_EQ(container.connection->signal_exec("a", SIGTERM).error().code(), Code::NotFound);
  ASSERT_TRUE(container.connection->signal(SIGKILL));
  EXPECT_EQ(wait_exit(*container.connection), 137);
}

TEST_F(Shims, an_exec_of_a_missing_program_is_an_error_and_not_a_process) {
  auto container = start(request({"/bin/sleep", "100"}));
  auto bad = exec_request("x", "");
  bad.process.args = {"/bin/nonesuch"};
  auto started = container.connection->exec(bad, {});
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr("no such file or directory"));
  ASSERT_TRUE(container.connection->signal(SIGKILL));
  EXPECT_EQ(wait_exit(*container.connection), 137);
}

TEST_F(Shims, an_exec_is_killed_by_signal_and_ends_with_its_container) {
  auto container = start(request({"/bin/sleep", "100"}));
  ASSERT_TRUE(container.connection->exec(exec_request("k", "exec sleep 100"), {}));
  ASSERT_TRUE(container.connection->exec(exec_request("r", "exec sleep 100"), {}));
  ASSERT_TRUE(container.connection->signal_exec("k", SIGKILL));
  auto event = wait_event(*container.connection);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->exec_id, "k");
  EXPECT_EQ(event->exit_code, 137);
  ASSERT_TRUE(container.connection->signal(SIGKILL));
  event = wait_event(*container.connection);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->exec_id, "r");
  EXPECT_EQ(wait_exit(*container.connection), 137);
}

TEST_F(Shims, a_terminal_can_be_resized_and_answers) {
  auto wanted = request({"/bin/sh"});
  wanted.tty = wanted.open_stdin = wanted.stdin_once = true;
  auto connection = zygote_->create(std::move(wanted)).value();
  auto client =
      attach(*connection,
             {.stdin_ = true, .stdout_ = true, .stderr_ = true, .multiplexed = false, .detach_keys = "ctrl-p,ctrl-q"});
  ASSERT_TRUE(zygote_->start(*connection));
  ASSERT_TRUE(connection->resize("", 33, 77));
  ASSERT_TRUE(sys::write_all(client.get(), "stty size\n"));
  EXPECT_THAT(read_until(client.get(), "33 77"), HasSubstr("33 77"));
  ASSERT_TRUE(sys::write_all(client.get(), "\x10\x11"));
  EXPECT_THAT(read_all(client.get()), testing::Not(HasSubstr("<timeout>")));
  auto event = wait_event(*connection);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, ShimEvent::Kind::Detach);
  auto again = attach(*connection, {.stdin_ = true, .stdout_ = true, .multiplexed = false});
  ASSERT_TRUE(sys::write_all(again.get(), "exit 6\n"));
  EXPECT_EQ(wait_exit(*connection), 6);
}

TEST_F(Shims, an_exec_with_a_terminal_is_resized_by_its_own_name) {
  auto container = start(request({"/bin/sleep", "100"}));
  auto wanted = exec_request("t", "read x; stty size");
  wanted.tty = true;
  wanted.attach.stdin_ = true;
  auto [ours, theirs] = sys::make_stream_pair().value();
  ASSERT_TRUE(container.connection->exec(wanted, std::move(theirs)));
  ASSERT_TRUE(container.connection->resize("t", 11, 22));
  EXPECT_EQ(container.connection->resize("nobody", 1, 1).error().code(), Code::NotFound);
  ASSERT_TRUE(sys::write_all(ours.get(), "\n"));
  EXPECT_THAT(read_until(ours.get(), "11 22"), HasSubstr("11 22"));
  ASSERT_TRUE(container.connection->signal(SIGKILL));
  EXPECT_EQ(wait_exit(*container.connection), 137);
}

TEST_F(Shims, the_oom_killer_is_noticed) {
  auto wanted = request({"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"});
  wanted.spec.linux_->devices = {{.path = "/dev/zero", .type = "c", .major = 1, .minor = 5, .file_mode = 0666},
                                 {.path = "/dev/null", .type = "c", .major = 1, .minor = 3, .file_mode = 0666}};
  wanted.spec.linux_->resources.emplace().memory.emplace().limit = 16 << 20;
  auto container = start(std::move(wanted));
  bool reported = false;
  while (auto event = wait_event(*container.connection)) {
    if (event->kind == ShimEvent::Kind::Oom) reported = true;
    if (event->kind == ShimEvent::Kind::Exit) {
      EXPECT_TRUE(event->oom_killed);
      EXPECT_EQ(event->exit_code, 137);
    }
  }
  EXPECT_TRUE(reported);
  EXPECT_TRUE(read_exit_record(container.dir)->oom_killed);
}

TEST_F(Shims, network_namespaces_are_fresh_and_the_container_joins_the_one_it_was_given) {
  auto first = zygote_->make_netns().value(), second = zygote_->make_netns().value();
  struct stat a, b;
  ASSERT_EQ(::fstat(first.ns.get(), &a), 0);
  ASSERT_EQ(::fstat(second.ns.get(), &b), 0);
  EXPECT_NE(a.st_ino, b.st_ino);
  auto wanted = request({"/bin/ip", "link", "show", "lo"});
  wanted.netns = std::move(first.ns);
  std::string id = wanted.id;
  auto connection = zygote_->create(std::move(wanted)).value();
  EXPECT_EQ(sys::read_link(fmt::format("/proc/{}/ns/net", connection->init_pid())).value(),
            fmt::format("net:[{}]", a.st_ino));
  ASSERT_TRUE(zygote_->start(*connection));
  EXPECT_EQ(wait_exit(*connection), 0);
  EXPECT_THAT(log_of(id), HasSubstr("LOWER_UP"));
}

TEST_F(Shims, a_background_process_in_a_shared_pid_namespace_does_not_hold_the_end_back) {
  auto wanted = shell("sleep 100 & echo leaving");
  std::erase_if(wanted.spec.linux_->namespaces, [](const auto& ns) { return ns.type == "pid"; });
  auto container = start(std::move(wanted));
  auto before = Clock::now();
  EXPECT_EQ(wait_exit(*container.connection), 0);
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(5));
  EXPECT_EQ(log_of(container.id), "leaving\n");
  EXPECT_FALSE(sys::path_exists("/sys/fs/cgroup/memory" + cgroup_parent() + "/" + container.id));
}

TEST_F(Shims, the_zygote_keeps_nothing_of_the_containers_it_forked) {
  EXPECT_EQ(wait_exit(*start(request({"/bin/true"})).connection), 0);
  auto zygotes = children_called("sampan-zygote");
  ASSERT_EQ(zygotes.size(), 1u);
  for (int i = 0; i < 8; ++i) (void)zygote_->make_netns().value();  // and the pool refills itself behind us
  auto end = Clock::now() + std::chrono::seconds(5);
  size_t full = 1 + 3 + 2 * 8;  // the socket, the standard streams, the reserve
  while (open_fds(zygotes[0]) != full && Clock::now() < end) ::poll(nullptr, 0, 10);
  EXPECT_EQ(open_fds(zygotes[0]), full);
  size_t ours = open_fds(::getpid());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(wait_exit(*start(request({"/bin/true"})).connection), 0);
  EXPECT_EQ(open_fds(zygotes[0]), full);
  EXPECT_EQ(open_fds(::getpid()), ours);
}

TEST_F(Shims, a_container_inherits_neither_descriptors_nor_ignored_or_blocked_signals) {
  // Not by a shell: it changes its own signals.
  auto container = start(request({"/bin/cat", "/proc/self/status"}));
  EXPECT_EQ(wait_exit(*container.connection), 0);
  std::string status = log_of(container.id);
  EXPECT_THAT(status, HasSubstr("SigIgn:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000000"));
  auto lister = start(request({"/bin/ls", "/proc/self/fd"}));
  EXPECT_EQ(wait_exit(*lister.connection), 0);
  EXPECT_EQ(log_of(lister.id), "0\n1\n2\n3\n") << "three, and the one that lists them";
}

TEST_F(Shims, a_daemon_of_another_version_is_answered) {
  auto container = start(request({"/bin/sleep", "100"}));
  EXPECT_EQ(container.connection->protocol(), kProtocol);
  auto dir = sys::open_dir(root_ + "/run/shim/" + container.id).value();
  auto link = sys::connect_packets(dir.get(), "shim.sock").value();
  auto ask = [&](std::string_view text) {
    auto [ours, theirs] = sys::make_packet_pair().value();
    const int fds[] = {theirs.get()};
    EXPECT_TRUE(sys::send_packet(link.get(), text, fds));
    auto packet = sys::receive_packet(ours.get(), std::chrono::seconds(5)).value();
    return packet ? parse_reply(packet->bytes).value() : Reply{};
  };
  EXPECT_EQ(ask(R"({"op":"hello"})").pid, container.connection->init_pid());
  auto hello = ask(R"({"op":"hello","protocol":99,"later":{"things":[1,2]}})");
  EXPECT_EQ(hello.pid, container.connection->init_pid());
  EXPECT_EQ(hello.protocol, kProtocol);
  EXPECT_EQ(ask(R"({"op":"dance","protocol":99})").code, static_cast<int>(Code::NotImplemented));
  EXPECT_EQ(ask(R"({"op":"signal","signal":9,"gently":true})").message, "");
  EXPECT_EQ(wait_exit(*container.connection), 137);
}

TEST_F(Shims, a_zygote_that_is_killed_with_requests_in_its_queue_is_replaced) {
  (void)zygote_->make_netns().value();  // from here on it has its name
  for (bool container : {false, true}) {
    auto zygotes = children_called("sampan-zygote");
    ASSERT_EQ(zygotes.size(), 1u);
    ::kill(zygotes[0], SIGSTOP);
    std::thread killer([pid = zygotes[0]] {
      ::poll(nullptr, 0, 50);
      ::kill(pid, SIGKILL);
    });
    if (container) {
      auto connection = zygote_->create(shell("exit 4"));
      ASSERT_TRUE(connection) << connection.error().message();
      ASSERT_TRUE(zygote_->start(**connection));
      EXPECT_EQ(wait_exit(**connection), 4);
    } else {
      EXPECT_TRUE(zygote_->make_netns());
    }
    killer.join();
  }
}

TEST_F(Shims, a_zygote_that_was_killed_is_replaced) {
  (void)zygote_->make_netns().value();  // from here on it has its name
  auto zygotes = children_called("sampan-zygote");
  ASSERT_EQ(zygotes.size(), 1u);
  auto container = start(request({"/bin/sleep", "100"}));
  ::kill(zygotes[0], SIGKILL);
  auto end = Clock::now() + std::chrono::seconds(5);
  while (sys::read_file(fmt::format("/proc/{}/stat", zygotes[0])).value().find(") Z ") == std::string::npos &&
         Clock::now() < end) {
    ::poll(nullptr, 0, 5);
  }
  EXPECT_EQ(wait_exit(*start(request({"/bin/true"})).connection), 0);
  ASSERT_TRUE(container.connection->signal(SIGKILL));
  EXPECT_EQ(wait_exit(*container.connection), 137);
}

}  // namespace
}  // namespace sampan::shim
