// SCMP_ACT_NOTIFY: the agent gets the listener and the state, and decides.
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "codec/json.h"
#include "runtime/container_for_test.h"
#include "sys/packet.h"

namespace sampan::runtime {
namespace {

using testing::HasSubstr;

class SeccompNotify : public RealContainer {
 protected:
  void SetUp() override {
    RealContainer::SetUp();
    if (IsSkipped()) return;
    auto& seccomp = spec_.linux_->seccomp.emplace();
    seccomp.default_action = "SCMP_ACT_ALLOW";
    seccomp.syscalls = {{{"mkdir", "mkdirat"}, "SCMP_ACT_NOTIFY", {}, {}}};
    seccomp.listener_path = top_ + "/agent.sock";
    seccomp.listener_metadata = "who asks";
    spec_.annotations["k"] = "v";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    seccomp.listener_path.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = sys::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener_.get(), 4), 0);
  }
  void TearDown() override {
    listener_.reset();
    RealContainer::TearDown();
  }

  /// Takes one connection, and answers ENOTTY to the first call that is asked for. In a child: create() blocks.
  pid_t start_agent() {
    pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::alarm(10);
    int connection = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    char bytes[4096];
    iovec part{bytes, sizeof bytes};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part, message.msg_iovlen = 1;
    message.msg_control = control, message.msg_controllen = sizeof control;
    ssize_t n = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    (void)sys::replace_file(top_ + "/told", std::string_view(bytes, static_cast<size_t>(std::max<ssize_t>(n, 0))), 0600,
                            sys::Durable::No);
    if (!CMSG_FIRSTHDR(&message)) ::_exit(1);
    int notify;
    __builtin_memcpy(&notify, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof notify);
    struct {
      uint64_t id;
      uint32_t pid, flags;
      int32_t number;
      uint32_t arch;
      uint64_t pointer, args[6];
    } asked = {};
    struct {
      uint64_t id;
      int64_t value;
      int32_t error;
      uint32_t flags;
    } answer = {};
    if (::ioctl(notify, _IOWR('!', 0, decltype(asked)), &asked) != 0) ::_exit(2);
    answer.id = asked.id, answer.error = -ENOTTY;
    ::_exit(::ioctl(notify, _IOWR('!', 1, decltype(answer)), &answer) == 0 ? 0 : 3);
  }

  codec::json::object told() {
    auto value = codec::parse_json(sys::read_file(top_ + "/told").value_or(""));
    return value && value->is_object() ? value->as_object() : codec::json::object();
  }

  sys::Fd listener_;
};

TEST_F(SeccompNotify, the_agent_of_init_gets_the_listener_and_the_state) {
  pid_t agent = start_agent();
  EXPECT_THAT(output_of("mkdir /tmp/x; ls /tmp; ls /proc/self/fd | wc -l"), HasSubstr("Inappropriate ioctl"));
  EXPECT_EQ(sys::reap(agent)->shell_code(), 0);
  auto seen = told();
  EXPECT_EQ(seen["ociVersion"], "1.2.0");
  EXPECT_EQ(seen["metadata"], "who asks");
  EXPECT_EQ(seen["fds"], codec::json::array({"seccompFd"}));
  EXPECT_GT(seen["pid"].as_int64(), 1);
  EXPECT_EQ(seen["state"].as_object()["id"], "test");
  EXPECT_EQ(seen["state"].as_object()["pid"], seen["pid"]);
  EXPECT_EQ(seen["state"].as_object()["annotations"].as_object()["k"], "v");
}

TEST_F(SeccompNotify, works_without_new_privileges_and_with_every_flag) {
  spec_.process->no_new_privileges = true;
  spec_.linux_->seccomp->flags = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
                                  "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
  pid_t agent = start_agent();
  EXPECT_THAT(output_of("mkdir /tmp/x"), HasSubstr("Inappropriate ioctl"));
  EXPECT_EQ(sys::reap(agent)->shell_code(), 0);
}

TEST_F(SeccompNotify, exec_has_a_listener_of_its_own) {
  auto section = *spec_.linux_->seccomp;
  spec_.linux_->seccomp.reset();
  command({"sleep", "1000"});
  options_.stdio = {};
  auto container = create(spec_, options_);
  ASSERT_TRUE(container) << container.error().message();
  ASSERT_TRUE((*container)->start());
  pid_t agent = start_agent();
  ExecOptions again;
  again.process = *spec_.process;
  again.process.args = {"mkdir", "/tmp/y"};
  again.seccomp = *compile_seccomp(section);
  again.listener = &section;
  again.state = {"test", "running", "", (*container)->init().pid, {}};
  auto process = exec((*container)->init().pid, (*container)->cgroups(), again);
  ASSERT_TRUE(process) << process.error().message();
  EXPECT_EQ(sys::reap(process->pid)->shell_code(), 1);
  EXPECT_EQ(sys::reap(agent)->shell_code(), 0);
  auto seen = told();
  EXPECT_EQ(seen["pid"], process->pid);
  EXPECT_EQ(seen["state"].as_object()["status"], "running");
  EXPECT_TRUE((*container)->destroy());
  EXPECT_TRUE(sys::reap((*container)->init().pid));
}

TEST_F(SeccompNotify, nobody_listening_is_an_error_that_names_the_member) {
  listener_.reset();
  shell("true");
  options_.stdio = {};
  auto container = create(spec_, options_);
  ASSERT_TRUE(container) << container.error().message();
  EXPECT_THAT((*container)->start().error().message(), HasSubstr("seccomp listenerPath: connect"));
  EXPECT_TRUE((*container)->destroy()) << "it can be tried again until then";
  spec_.linux_->seccomp->listener_path.clear();
  EXPECT_THAT(run().error, HasSubstr("linux.seccomp.listenerPath is not set"));
}

TEST_F(SeccompNotify, what_the_specification_forbids_is_refused) {
  shell("true");
  auto& seccomp = *spec_.linux_->seccomp;
  seccomp.syscalls[0].names = {"write"};
  EXPECT_THAT(run().error, HasSubstr("cannot be used for the write syscall"));
  seccomp.syscalls.clear();
  seccomp.flags = {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
  EXPECT_THAT(run().error, HasSubstr("needs a rule with SCMP_ACT_NOTIFY"));
  seccomp.flags = {};
  seccomp.default_action = "SCMP_ACT_NOTIFY";
  EXPECT_THAT(run().error, HasSubstr("cannot be used as default action"));
  seccomp.default_action = "SCMP_ACT_ALLOW";
  seccomp.default_errno_ret = 5;
  EXPECT_THAT(run().error, HasSubstr("\"SCMP_ACT_ALLOW\" takes no errnoRet"));
}

TEST_F(RealContainer, a_seccomp_rule_can_kill_the_process) {
  auto& seccomp = spec_.linux_->seccomp.emplace();
  seccomp.default_action = "SCMP_ACT_ALLOW";
  seccomp.syscalls = {{{"mkdir"}, "SCMP_ACT_KILL_PROCESS", {}, {}}};
  EXPECT_EQ(output_of("mkdir /tmp/q; echo $?"), "Bad system call\n159\n");
  seccomp.syscalls = {{{"mkdir"}, "SCMP_ACT_TRACE", 7, {}}};  // without a tracer: ENOSYS
  EXPECT_THAT(output_of("mkdir /tmp/q"), HasSubstr("Function not implemented"));
  seccomp.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_LOONGARCH64"};
  EXPECT_EQ(output_of("echo ok"), "ok\n");
  seccomp.architectures = {"SCMP_ARCH_PDP11"};
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("unknown seccomp architecture \"SCMP_ARCH_PDP11\""));
}

}  // namespace
}  // namespace sampan::runtime
