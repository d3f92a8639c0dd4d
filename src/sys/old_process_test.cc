#include "sys/old_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/child.h"
#include "sys/file.h"

namespace sampan::sys {
namespace {

/// A child that waits for a signal, made as old kernels make it.
class OldProcess : public testing::Test {
 protected:
  Child start(const CloneOptions& options = {}) {
    auto child = clone_by_clone(options);
    EXPECT_TRUE(child) << child.error().message();
    if (child->pid == 0)
      for (;;) ::pause();
    return std::move(*child);
  }
};

TEST_F(OldProcess, clone_gives_a_child_and_its_descriptor) {
  auto child = start();
  EXPECT_EQ(pid_of(child.pidfd.get()).value(), child.pid);
  EXPECT_TRUE(is_running(child.pidfd));
  ASSERT_TRUE(send_signal(child.pidfd, SIGTERM));
  EXPECT_EQ(reap(child.pid)->signal, SIGTERM);
  EXPECT_FALSE(is_running(child.pidfd));
  EXPECT_EQ(clone_by_clone({.cgroup = 3}).error().errno_value(), ENOSYS);
  EXPECT_EQ(clone_by_clone({.namespaces = ns::kTime}).error().errno_value(), ENOSYS);
}

TEST_F(OldProcess, a_proc_directory_stands_for_its_process_only) {
  auto child = start();
  auto handle = open_proc_dir(child.pid).value();
  EXPECT_EQ(pid_of(handle.get()).value(), child.pid);
  EXPECT_TRUE(is_running(handle));
  EXPECT_FALSE(*wait_exited(handle, std::chrono::milliseconds(5)));
  ASSERT_TRUE(send_signal(handle, SIGKILL));
  EXPECT_TRUE(*wait_exited(handle, std::chrono::seconds(5))) << "a zombie has exited";
  EXPECT_EQ(reap_child(handle).value()->signal, SIGKILL);
  EXPECT_FALSE(is_running(handle));
  EXPECT_EQ(send_signal(handle, SIGKILL).error().errno_value(), ESRCH);
  EXPECT_EQ(kill_by_number(handle.get(), SIGKILL).error().errno_value(), ESRCH);
  EXPECT_EQ(open_proc_dir(child.pid).error().errno_value(), ESRCH);
}

TEST_F(OldProcess, a_signal_by_number_reaches_it) {
  auto child = start();
  auto handle = open_proc_dir(child.pid).value();
  ASSERT_TRUE(kill_by_number(handle.get(), SIGTERM));
  EXPECT_EQ(reap(child.pid)->signal, SIGTERM);
}

TEST_F(OldProcess, other_descriptors_are_no_processes) {
  auto null = open_file("/dev/null", O_RDONLY).value();
  EXPECT_FALSE(pid_of(null.get()));
  auto space = open_file("/proc/self/ns/uts", O_RDONLY).value();
  EXPECT_FALSE(pid_of(space.get()));
}

TEST_F(OldProcess, namespaces_are_entered_one_by_one) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  auto child = start({.namespaces = ns::kUts | ns::kIpc | ns::kNet});
  auto handle = open_proc_dir(child.pid).value();
  auto visitor = clone_process({}).value();
  if (visitor.pid == 0) {
    struct stat own, other;
    bool joined = bool(set_namespaces(handle.get(), ns::kUts | ns::kNet));
    std::string there = "/proc/" + std::to_string(child.pid) + "/ns/";
    joined = joined && ::stat("/proc/self/ns/net", &own) == 0 && ::stat((there + "net").c_str(), &other) == 0 &&
             own.st_ino == other.st_ino;
    joined = joined && ::stat("/proc/self/ns/ipc", &own) == 0 && ::stat((there + "ipc").c_str(), &other) == 0 &&
             own.st_ino != other.st_ino;
    ::_exit(joined ? 0 : 1);
  }
  EXPECT_EQ(reap(visitor.pid)->code, 0);
  ASSERT_TRUE(send_signal(handle, SIGKILL));
  ASSERT_TRUE(reap(child.pid));
}

TEST_F(OldProcess, descriptors_are_marked_by_the_list) {
  int kept = ::dup(2), marked = ::fcntl(2, F_DUPFD, kept + 1);
  ASSERT_GT(marked, kept);
  ASSERT_TRUE(close_on_exec_by_list(static_cast<unsigned>(marked)));
  EXPECT_EQ(::fcntl(kept, F_GETFD), 0);
  EXPECT_EQ(::fcntl(marked, F_GETFD), FD_CLOEXEC);
  ::close(kept);
  ::close(marked);
}

}  // namespace
}  // namespace sampan::sys
