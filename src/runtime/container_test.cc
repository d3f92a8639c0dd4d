// Real containers around busybox: what an operator and an attacker would look at from inside.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "runtime/container_for_test.h"
#include "runtime/runtime.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST_F(RealContainer, runs_and_reports_its_exit_code) {
  shell("echo hello; exit 7");
  auto outcome = run();
  EXPECT_EQ(outcome.output, "hello\n");
  EXPECT_EQ(outcome.code, 7);
}

TEST_F(RealContainer, a_signal_is_an_exit_of_128_and_more) {
  shell("exec sleep 100");
  options_.stdio = {};
  auto container = create(spec_, options_);
  ASSERT_TRUE(container) << container.error().message();
  ASSERT_TRUE((*container)->start());
  ASSERT_TRUE(sys::send_signal((*container)->init().pidfd, SIGKILL));
  EXPECT_EQ(sys::reap((*container)->init().pid)->shell_code(), 137);
  EXPECT_TRUE((*container)->destroy());
}

TEST_F(RealContainer, capabilities_are_dockers_and_none_is_inherited) {
  auto status = output_of("grep -E 'Cap|NoNew' /proc/self/status");
  EXPECT_THAT(status, HasSubstr("CapEff:\t00000000a80425fb"));
  EXPECT_THAT(status, HasSubstr("CapPrm:\t00000000a80425fb"));
  EXPECT_THAT(status, HasSubstr("CapBnd:\t00000000a80425fb"));
  EXPECT_THAT(status, HasSubstr("CapInh:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("CapAmb:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t0"));
}

TEST_F(RealContainer, only_the_three_streams_are_open) {
  int stray = ::open("/", O_RDONLY | O_DIRECTORY);  // not close-on-exec: the last step must catch it
  EXPECT_EQ(output_of("ls /proc/1/fd; true"), "0\n1\n2\n");
  ::close(stray);
}

TEST_F(RealContainer, asked_for_descriptors_come_at_three) {
  auto pipe = *sys::make_pipe();
  options_.preserve_fds = {pipe.second.get()};
  EXPECT_EQ(output_of("echo through >&3; ls /proc/1/fd; true"), "0\n1\n2\n3\n");
  pipe.second.reset();
  EXPECT_EQ(drain(pipe.first.get()), "through\n");
}

TEST_F(RealContainer, a_read_only_root_takes_no_file) {
  spec_.root->readonly = true;
  EXPECT_THAT(output_of("touch /x; touch /dev/y && echo dev"),
              testing::AllOf(HasSubstr("Read-only file system"), HasSubstr("dev\n")));
}

TEST_F(RealContainer, masked_and_read_only_paths_are) {
  EXPECT_THAT(output_of("cat /proc/keys /proc/interrupts; ls /sys/firmware; echo 1 > /proc/sys/kernel/core_pattern"),
              testing::EndsWith("/proc/sys/kernel/core_pattern: Read-only file system\n"));
  EXPECT_EQ(output_of("cat /proc/keys /proc/interrupts; ls /sys/firmware; ls /proc/missing 2>/dev/null"), "");
}

TEST_F(RealContainer, names_and_namespaces_are_its_own) {
  auto seen = output_of("hostname; echo $$; cat /proc/self/cgroup; readlink /proc/self/ns/net");
  EXPECT_THAT(seen, testing::StartsWith("box\n1\n"));
  EXPECT_THAT(seen, Not(HasSubstr(options_.cgroup_path))) << "the cgroup namespace hides where it is";
  EXPECT_THAT(seen, Not(HasSubstr(*sys::read_link("/proc/self/ns/net"))));
}

TEST_F(RealContainer, limits_reach_the_control_groups) {
  auto& resources = spec_.linux_->resources.emplace();
  resources.pids = oci::PidsLimit{40};
  resources.memory.emplace().limit = 64 << 20;
  std::string pids = host_.v1_roots.contains("pids") ? "/sys/fs/cgroup/pids/pids.max" : "/sys/fs/cgroup/pids.max";
  EXPECT_EQ(output_of("cat " + pids), "40\n");
}

TEST_F(RealContainer, devices_that_are_not_listed_stay_shut) {
  EXPECT_THAT(output_of("busybox mknod /dev/sda b 8 0 && cat /dev/sda; echo ok > /dev/null && echo fine"),
              testing::AllOf(HasSubstr("Operation not permitted"), HasSubstr("fine")));
}

TEST_F(RealContainer, refusals_have_the_words_that_clients_look_for) {
  auto words = [&](std::vector<std::string> args) {
    command(std::move(args));
    return run().error;
  };
  EXPECT_EQ(words({"foo"}), "exec: \"foo\": executable file not found in $PATH");
  EXPECT_EQ(words({"/x"}), "exec: \"/x\": stat /x: no such file or directory");
  EXPECT_EQ(words({"/etc"}), "exec: \"/etc\": is a directory");
  EXPECT_EQ(words({"/etc/passwd"}), "exec: \"/etc/passwd\": permission denied");
  ASSERT_TRUE(sys::replace_file(root_ + "/bin/garbage", "\x7f nothing", 0755));
  EXPECT_EQ(words({"garbage"}), "exec /bin/garbage: Exec format error");
}

TEST_F(RealContainer, users_are_looked_up_inside) {
  options_.user = "app";
  options_.group_add = {"77"};
  auto seen = output_of("id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status; echo ok > /dev/stdout");
  EXPECT_EQ(seen, "1000\n1001\n1001 77 2000\n/home/app\nCapEff:\t0000000000000000\nok\n");
}

TEST_F(RealContainer, an_unknown_user_leaves_nothing_behind) {
  options_.user = "ghost";
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("unable to find user ghost: no matching entries in passwd file"));
}

TEST_F(RealContainer, a_user_file_that_is_a_fifo_or_leads_out_is_refused) {
  ASSERT_TRUE(sys::remove_file(root_ + "/etc/passwd"));
  ASSERT_EQ(::mkfifo((root_ + "/etc/passwd").c_str(), 0644), 0);
  options_.user = "app";
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("not a regular file"));
}

TEST_F(RealContainer, the_working_directory_is_made_inside) {
  spec_.process->cwd = "/a/b";
  EXPECT_EQ(output_of("pwd"), "/a/b\n");
}

TEST_F(RealContainer, a_working_directory_through_a_leaked_descriptor_is_refused) {
  for (int fd = 0; fd < 32; ++fd) {
    spec_.process->cwd = fmt::format("/proc/self/fd/{}", fd);
    shell("pwd");
    auto outcome = run();
    EXPECT_NE(outcome.error, "") << fd;
  }
}

TEST_F(RealContainer, a_linked_proc_is_refused) {
  ASSERT_EQ(::rmdir((root_ + "/proc").c_str()), 0);
  ASSERT_EQ(::symlink("/tmp", (root_ + "/proc").c_str()), 0);
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("filesystem \"proc\" must be mounted on ordinary directory"));
}

TEST_F(RealContainer, a_linked_dev_is_refused_and_nothing_is_made_outside) {
  ASSERT_TRUE(sys::make_dirs(top_ + "/canary", 0755));
  spec_.mounts.erase(spec_.mounts.begin() + 1, spec_.mounts.begin() + 3);
  spec_.mounts.pop_back();
  ASSERT_EQ(::rmdir((root_ + "/dev").c_str()), 0);
  ASSERT_EQ(::symlink("/../canary", (root_ + "/dev").c_str()), 0);
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("make devices"));
  EXPECT_TRUE(sys::list_dir(top_ + "/canary")->empty());
}

TEST_F(RealContainer, a_bind_over_a_file_of_proc_is_refused) {
  spec_.mounts.push_back({"/proc/sys/kernel/core_pattern", "bind", "/etc/hostname", {"bind"}, {}, {}});
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("cannot be mounted because it is inside /proc"));
}

TEST_F(RealContainer, binds_are_made_with_their_options_and_their_targets) {
  ASSERT_TRUE(sys::make_dirs(top_ + "/volume", 0755));
  ASSERT_TRUE(sys::replace_file(top_ + "/file", "content"));
  spec_.mounts.push_back({"/new/volume", "bind", top_ + "/volume", {"rbind", "rprivate"}, {}, {}});
  spec_.mounts.push_back({"/etc/conf", "bind", top_ + "/file", {"bind", "ro"}, {}, {}});
  EXPECT_THAT(output_of("echo x > /new/volume/y; cat /etc/conf; echo > /etc/conf"),
              testing::AllOf(HasSubstr("content"), HasSubstr("Read-only file system")));
  EXPECT_EQ(*sys::read_file(top_ + "/volume/y"), "x\n");
}

TEST_F(RealContainer, a_bind_of_nothing_says_which) {
  spec_.mounts.push_back({"/x", "bind", top_ + "/missing", {"bind"}, {}, {}});
  shell("true");
  EXPECT_THAT(run().error, testing::AllOf(HasSubstr(top_ + "/missing"), HasSubstr("No such file or directory")));
}

TEST_F(RealContainer, a_tmpfs_can_begin_with_what_was_there) {
  ASSERT_TRUE(sys::make_dirs(root_ + "/data/deep", 0750));
  ASSERT_TRUE(sys::replace_file(root_ + "/data/deep/f", "kept", 0640));
  ASSERT_EQ(::symlink("deep/f", (root_ + "/data/l").c_str()), 0);
  spec_.mounts.push_back({"/data", "tmpfs", "tmpfs", {"nosuid", "tmpcopyup"}, {}, {}});
  EXPECT_EQ(output_of("cat /data/l; stat -c ' %a' /data/deep /data/deep/f; echo changed > /data/deep/f"),
            "kept 750\n 640\n");
  EXPECT_EQ(*sys::read_file(root_ + "/data/deep/f"), "kept");
}

TEST_F(RealContainer, an_overlay_is_its_root) {
  for (const char* dir : {"/upper", "/work", "/top"}) ASSERT_TRUE(sys::make_dirs(top_ + dir, 0755));
  ASSERT_TRUE(sys::replace_file(top_ + "/top/only-here", "top"));
  options_.rootfs = {
      "/",
      "overlay",
      "overlay",
      {"lowerdir+=" + top_ + "/top", "lowerdir+=" + root_, "upperdir=" + top_ + "/upper", "workdir=" + top_ + "/work"},
      {},
      {}};
  EXPECT_EQ(output_of("cat /only-here; echo > /written"), "top");
  EXPECT_TRUE(sys::path_exists(top_ + "/upper/written"));
  EXPECT_FALSE(sys::path_exists(root_ + "/written"));
}

TEST_F(RealContainer, a_terminal_is_its_console) {
  spec_.process->terminal = true;
  spec_.process->console_size = oci::ConsoleSize{33, 99};
  shell("tty; busybox stty size; ls -l /dev/console");
  auto container = create(spec_, options_);
  ASSERT_TRUE(container) << container.error().message();
  auto& init = (*container)->init();
  ASSERT_TRUE(init.console.valid());
  ASSERT_TRUE((*container)->start());
  std::string seen;
  char buffer[4096];
  for (ssize_t n; (n = ::read(init.console.get(), buffer, sizeof buffer)) > 0;)
    seen.append(buffer, static_cast<size_t>(n));
  EXPECT_THAT(seen, testing::AllOf(HasSubstr("/dev/pts/0\r\n33 99\r\n"), HasSubstr("136,")));
  EXPECT_EQ(sys::reap(init.pid)->shell_code(), 0);
  EXPECT_TRUE((*container)->destroy());
}

TEST_F(RealContainer, a_user_namespace_maps_root) {
  spec_.linux_->namespaces.push_back({"user", ""});
  spec_.linux_->uid_mappings = spec_.linux_->gid_mappings = {{0, 100000, 65536}};
  ASSERT_EQ(::chmod(top_.c_str(), 0755), 0);
  auto seen = output_of("id -u; cat /proc/self/uid_map; echo ok > /dev/null && echo null; stat -c %u /dev/mqueue");
  EXPECT_THAT(seen, testing::MatchesRegex("0\n +0 +100000 +65536\nnull\n0\n"));
}

TEST_F(RealContainer, namespaces_are_joined_by_path) {
  auto own = *sys::open_file("/proc/self/ns/net", O_RDONLY);
  for (auto& ns : spec_.linux_->namespaces)
    if (ns.type == "network") ns.path = fmt::format("/proc/self/fd/{}", own.get());
  EXPECT_EQ(output_of("readlink /proc/self/ns/net"), *sys::read_link("/proc/self/ns/net") + "\n");
}

TEST_F(RealContainer, a_path_that_is_no_such_namespace_is_refused) {
  for (auto& ns : spec_.linux_->namespaces)
    if (ns.type == "network") ns.path = "/proc/self/ns/uts";
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("is not a network namespace"));
}

TEST_F(RealContainer, sysctls_are_set_and_the_machines_own_refused) {
  spec_.linux_->sysctl = {{"net.ipv4.ip_unprivileged_port_start", "7"}};
  EXPECT_EQ(output_of("cat /proc/sys/net/ipv4/ip_unprivileged_port_start"), "7\n");
  spec_.linux_->sysctl = {{"kernel.panic", "1"}};
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("is not in a separate kernel namespace"));
}

TEST_F(RealContainer, a_seccomp_section_filters) {
  auto& seccomp = spec_.linux_->seccomp.emplace();
  seccomp.default_action = "SCMP_ACT_ALLOW";
  seccomp.syscalls = {{{"mkdir", "mkdirat", "no_such_call"}, "SCMP_ACT_ERRNO", 95, {}}};
  EXPECT_THAT(output_of("mkdir /tmp/q; grep Seccomp: /proc/self/status"),
              testing::AllOf(HasSubstr("Operation not supported"), HasSubstr("Seccomp:\t2")));
  spec_.process->no_new_privileges = true;
  EXPECT_THAT(output_of("grep -E 'Seccomp:|NoNew' /proc/self/status"), HasSubstr("NoNewPrivs:\t1\nSeccomp:\t2"));
}

TEST_F(RealContainer, hooks_run_in_order_with_the_state) {
  ASSERT_TRUE(sys::make_dirs(root_ + "/hook", 0755));
  auto hook = [&](const char* name) {
    return oci::Hook{"/bin/sh",
                     {"sh", "-c", fmt::format("echo {} $(grep -o '\"status\":\"[a-z]*\"') >> {}/log", name, top_)},
                     {"PATH=/usr/bin:/bin"},
                     {}};
  };
  auto& hooks = spec_.hooks.emplace();
  hooks.prestart = {hook("prestart")};
  hooks.create_runtime = {hook("createRuntime")};
  hooks.create_container = {hook("createContainer")};
  hooks.start_container = {{"/bin/sh", {"sh", "-c", "echo started > /hook/log"}, {}, {}}};
  EXPECT_EQ(output_of("cat /hook/log"), "started\n");
  EXPECT_EQ(*sys::read_file(top_ + "/log"),
            "prestart \"status\":\"creating\"\ncreateRuntime \"status\":\"creating\"\ncreateContainer "
            "\"status\":\"creating\"\n");
}

TEST_F(RealContainer, a_hook_that_fails_or_hangs_fails_the_create) {
  auto& hooks = spec_.hooks.emplace();
  hooks.create_runtime = {{"/bin/sh", {"sh", "-c", "echo why >&2; exit 3"}, {}, {}}};
  shell("true");
  EXPECT_THAT(run().error, testing::AllOf(HasSubstr("createRuntime hook #0"), HasSubstr("exit status 3, output: why")));
  hooks.create_runtime = {};
  hooks.create_container = {{"/bin/sleep", {"sleep", "100"}, {}, 1}};
  EXPECT_THAT(run().error, HasSubstr("timeout"));
}

TEST_F(RealContainer, what_never_started_is_destroyed) {
  shell("true");
  options_.stdio = {};
  auto container = create(spec_, options_);
  ASSERT_TRUE(container) << container.error().message();
  EXPECT_TRUE((*container)->destroy());
}

TEST_F(RealContainer, an_init_program_is_bound_and_runs_it) {
  options_.init_path = "/bin/busybox";  // stands in for the init: "busybox -- sh" is not its language, but it runs
  shell("true");
  auto outcome = run();
  EXPECT_EQ(outcome.error, "");
  EXPECT_THAT(outcome.output, HasSubstr("docker-init: applet not found"));
}

TEST_F(RealContainer, a_limit_that_cannot_be_raised_is_a_warning) {
  spec_.process->rlimits = {{"RLIMIT_NOFILE", 64, 64}};
  EXPECT_EQ(output_of("ulimit -n"), "64\n");
  spec_.process->rlimits = {{"RLIMIT_MADE_UP", 1, 1}};
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("RLIMIT_MADE_UP is unknown"));
}

TEST_F(RealContainer, a_limit_of_three_open_files_is_the_programs_alone) {
  spec_.process->rlimits = {{"RLIMIT_NOFILE", 3, 5}};
  EXPECT_EQ(output_of("ulimit -n; ulimit -Hn"), "3\n5\n");
  options_.seccomp = SeccompProgram{0x7fff000000000006};  // allows everything: loaded after the limit
  EXPECT_EQ(output_of("ulimit -n"), "3\n");
  spec_.process->rlimits = {{"RLIMIT_NOFILE", 1, 1}};
  EXPECT_EQ(output_of("ulimit -n"), "1\n");
}

TEST_F(RealContainer, a_label_that_cannot_be_had_is_an_error) {
  if (sys::path_exists("/sys/kernel/security/apparmor")) GTEST_SKIP() << "AppArmor is here";
  spec_.process->apparmor_profile = "docker-default";
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("unable to apply apparmor profile \"docker-default\""));
}

/// Fewer descriptors than needed, one more each time: create() fails at every place that opens one, and the census of
/// TearDown holds for all of them.
TEST_F(RealContainer, a_create_that_fails_anywhere_leaves_nothing) {
  shell("true");
  options_.stdio = {};
  auto before = *sys::get_resource_limit(RLIMIT_NOFILE);
  int failures = 0;
  for (uint64_t allowed = 4; allowed < 200; ++allowed) {
    ASSERT_TRUE(sys::set_resource_limit(RLIMIT_NOFILE, {allowed, before.hard}));
    auto container = create(spec_, options_);
    ASSERT_TRUE(sys::set_resource_limit(RLIMIT_NOFILE, before));
    if (container) {
      ASSERT_TRUE((*container)->start());
      EXPECT_EQ(sys::reap((*container)->init().pid)->shell_code(), 0);
      EXPECT_TRUE((*container)->destroy());
      break;
    }
    ++failures;
    ASSERT_EQ(container.error().errno_value(), EMFILE) << container.error().message();
    ASSERT_LT(::waitpid(-1, nullptr, WNOHANG), 0) << "a child is left after: " << container.error().message();
    ASSERT_FALSE(sys::path_exists("/sys/fs/cgroup/unified" + options_.cgroup_path)) << container.error().message();
  }
  EXPECT_GT(failures, 5);  // how many there are depends on the number of control group hierarchies
}

TEST_F(RealContainer, works_without_pivot_root) {
  options_.no_pivot = true;
  EXPECT_EQ(output_of("ls /bin/busybox; hostname"), "/bin/busybox\nbox\n");
}

TEST_F(RealContainer, a_spec_without_a_mount_namespace_is_refused) {
  std::erase_if(spec_.linux_->namespaces, [](const oci::Namespace& ns) { return ns.type == "mount"; });
  shell("true");
  EXPECT_THAT(run().error, HasSubstr("needs a mount namespace"));
}

TEST_F(RealContainer, clocks_can_be_shifted) {
  spec_.linux_->namespaces.push_back({"time", ""});
  spec_.linux_->time_offsets["boottime"] = {1'000'000'000, 0};
  EXPECT_GT(*parse_int(output_of("cat /proc/uptime").substr(0, 10)), 999'999'999);
}

TEST_F(RunningBox, exec_joins_everything_that_init_has) {
  auto seen = exec_shell(
      "hostname; for n in mnt net pid ipc uts cgroup; do [ $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) ] "
      "&& echo $n; done; exit 5");
  EXPECT_EQ(seen.output, "box\nmnt\nnet\npid\nipc\nuts\ncgroup\n");
  EXPECT_EQ(seen.code, 5);
  EXPECT_EQ(exec_shell("[ \"$(cat /proc/1/cgroup)\" = \"$(cat /proc/self/cgroup)\" ] && echo same").output, "same\n");
}

TEST_F(RunningBox, exec_may_have_few_open_files) {
  exec_.process.rlimits = {{"RLIMIT_NOFILE", 2, 3}};
  EXPECT_EQ(exec_shell("ulimit -n; ulimit -Hn").output, "2\n3\n");
}

TEST_F(RunningBox, exec_is_confined_like_init) {
  EXPECT_THAT(exec_shell("cat /proc/self/status; ls /proc/$$/fd; true").output,
              testing::AllOf(HasSubstr("CapEff:\t00000000a80425fb"), HasSubstr("CapInh:\t0000000000000000"),
                             testing::EndsWith("\n0\n1\n2\n")));
  exec_.user = "app";
  EXPECT_EQ(exec_shell("id -u; id -G; grep CapEff /proc/self/status").output,
            "1000\n1001 2000\nCapEff:\t0000000000000000\n");
}

TEST_F(RunningBox, exec_refuses_with_the_same_words) {
  exec_.process.args = {"foo"};
  EXPECT_EQ(exec_now().error, "exec: \"foo\": executable file not found in $PATH");
  exec_.process.args = {"/etc/passwd"};
  EXPECT_EQ(exec_now().error, "exec: \"/etc/passwd\": permission denied");
  exec_.process.args = {"true"};
  exec_.process.cwd = "/missing";
  EXPECT_THAT(exec_now().error, HasSubstr("No such file or directory"));
}

TEST_F(RunningBox, exec_has_a_terminal_of_its_own) {
  exec_.process.terminal = true;
  exec_.process.args = {"tty"};
  auto process = exec(container_->init().pid, container_->cgroups(), exec_);
  ASSERT_TRUE(process) << process.error().message();
  ASSERT_TRUE(process->console.valid());
  char buffer[100];
  std::string seen;  // the terminal may give it in parts
  while (!seen.ends_with('\n')) {
    ssize_t n = ::read(process->console.get(), buffer, sizeof buffer);
    if (n <= 0) break;
    seen.append(buffer, static_cast<size_t>(n));
  }
  EXPECT_EQ(seen, "/dev/pts/0\r\n");
  EXPECT_EQ(sys::reap(process->pid)->shell_code(), 0);
}

TEST_F(RunningBox, another_container_can_share_its_namespaces) {
  pid_t pid = container_->init().pid;
  spec_.hostname.clear();
  for (auto& ns : spec_.linux_->namespaces)
    if (ns.type != "mount" && ns.type != "cgroup")
      ns.path = fmt::format("/proc/{}/ns/{}", pid, ns.type == "network" ? "net" : ns.type);
  options_.cgroup_path += "-second";
  options_.id = "second";
  EXPECT_THAT(output_of("hostname; grep -c sleep /proc/1/cmdline; [ $$ -gt 1 ] && echo not-first"),
              "box\n1\nnot-first\n");
  options_.cgroup_path.resize(options_.cgroup_path.size() - 7);
}

/// In a user namespace.
class MappedBox : public RunningBox {
 protected:
  void SetUp() override {
    RealContainer::SetUp();
    if (IsSkipped()) return;
    map_ids({0, 100000, 65536});
    command({"sleep", "1000"});
    auto made = create(spec_, options_);
    ASSERT_TRUE(made) << made.error().message();
    container_ = std::move(*made);
    ASSERT_TRUE(container_->start());
    exec_.process = *spec_.process;
  }
};

TEST_F(MappedBox, exec_is_mapped_too) {
  auto seen = exec_shell(
      "id -u; cat /proc/self/uid_map; [ $(readlink /proc/1/ns/user) = $(readlink /proc/self/ns/user) ] && echo same");
  EXPECT_EQ(seen.error, "");
  EXPECT_THAT(seen.output, testing::MatchesRegex("0\n +0 +100000 +65536\nsame\n"));
}

TEST_F(MappedBox, another_container_can_join_its_user_namespace) {
  for (auto& ns : spec_.linux_->namespaces)
    if (ns.type == "user") ns.path = fmt::format("/proc/{}/ns/user", container_->init().pid);
  options_.cgroup_path += "-second";
  auto seen = output_of("id -u; cat /proc/self/uid_map; hostname; echo $$");
  EXPECT_THAT(seen, testing::MatchesRegex("0\n +0 +100000 +65536\nbox\n1\n"));
  options_.cgroup_path.resize(options_.cgroup_path.size() - 7);
}

TEST_F(RunningBox, exec_after_the_end_is_a_conflict) {
  pid_t pid = container_->init().pid;
  ASSERT_TRUE(sys::send_signal(container_->init().pidfd, SIGKILL));
  ASSERT_TRUE(*sys::wait_exited(container_->init().pidfd, std::chrono::seconds(5)));
  exec_.process.args = {"true"};
  EXPECT_FALSE(exec(pid, container_->cgroups(), exec_));
}

}  // namespace
}  // namespace sampan::runtime
