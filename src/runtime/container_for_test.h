#pragma once
// Real containers around busybox, for tests of the runtime: a fixture that makes a root filesystem and a specification,
// and checks after each test that nothing is left.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "runtime/runtime.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::runtime {

inline const std::vector<std::string> kDockerCapabilities = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
    "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
    "CAP_KILL",    "CAP_AUDIT_WRITE"};

struct Outcome {
  int code = -1;
  std::string output, error;
};

class RealContainer : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    char name[] = "/tmp/sampan-runtime-test.XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    root_ = top_ + "/root";
    for (const char* dir : {"/bin", "/etc", "/proc", "/sys", "/dev", "/tmp"})
      ASSERT_TRUE(sys::make_dirs(root_ + dir, 0755));
    ASSERT_TRUE(
        sys::replace_file(root_ + "/bin/busybox", sys::read_file("/bin/busybox").value_or(""), 0755, sys::Durable::No));
    for (const char* tool : {"sh", "cat", "ls", "id", "true", "mount", "stat", "mkdir", "touch", "sleep", "tty",
                             "hostname", "readlink", "grep"})
      ASSERT_EQ(::symlink("busybox", (root_ + "/bin/" + tool).c_str()), 0);
    ASSERT_TRUE(sys::replace_file(root_ + "/etc/passwd",
                                  "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n", 0644));
    ASSERT_TRUE(sys::replace_file(root_ + "/etc/group", "root:x:0:\nextra:x:2000:app\n", 0644));
    host_ = cgroup::detect_host().value_or(cgroup::HostCgroups());
    mounts_before_ = mounts();
    descriptors_before_ = descriptors();
    spec_ = default_spec();
    options_.id = "test";
    options_.cgroup_path = fmt::format("/sampan-runtime-test-{}", ::getpid());
    options_.rootfs = {"/", "bind", root_, {"rbind"}, {}, {}};
    options_.host_cgroups = &host_;
  }

  /// A user namespace for the container; its root, nobody on the host, must be able to reach the files.
  void map_ids(oci::IdMapping mapping) {
    ASSERT_EQ(::chmod(top_.c_str(), 0755), 0);
    spec_.linux_->namespaces.push_back({"user", ""});
    spec_.linux_->uid_mappings = spec_.linux_->gid_mappings = {mapping};
  }

  /// The leak census: nothing of a container outlives it.
  void TearDown() override {
    if (top_.empty()) return;
    EXPECT_TRUE(sys::remove_tree(top_));
    EXPECT_EQ(mounts(), mounts_before_);
    EXPECT_EQ(descriptors(), descriptors_before_);
    auto roots = host_.unique_v1_roots();
    if (!host_.v2_root.empty()) roots.push_back(host_.v2_root);
    for (const auto& root : roots) EXPECT_FALSE(sys::path_exists(root + options_.cgroup_path)) << root;
    EXPECT_LT(::waitpid(-1, nullptr, WNOHANG), 0) << "a child is left";
  }

  static std::string mounts() { return *sys::read_file("/proc/self/mountinfo"); }
  static size_t descriptors() { return sys::list_dir("/proc/self/fd")->size(); }

  static oci::Spec default_spec() {
    oci::Spec spec;
    auto& process = spec.process.emplace();
    process.cwd = "/";
    process.env = {"PATH=/bin"};
    auto& caps = process.capabilities.emplace();
    caps.bounding = caps.effective = caps.permitted = kDockerCapabilities;
    spec.root.emplace();
    spec.hostname = "box";
    spec.mounts = {{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}, {}, {}},
                   {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}, {}, {}},
                   {"/dev/pts",
                    "devpts",
                    "devpts",
                    {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"},
                    {},
                    {}},
                   {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}, {}, {}},
                   {"/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid", "noexec", "nodev"}, {}, {}},
                   {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}, {}, {}}};
    auto& linux_part = spec.linux_.emplace();
    for (const char* type : {"mount", "pid", "network", "ipc", "uts", "cgroup"})
      linux_part.namespaces.push_back({type, ""});
    linux_part.masked_paths = {"/proc/interrupts", "/proc/keys", "/sys/firmware", "/proc/missing"};
    linux_part.readonly_paths = {"/proc/sys", "/proc/sysrq-trigger"};
    return spec;
  }

  void command(std::vector<std::string> args) { spec_.process->args = std::move(args); }
  void shell(std::string line) { command({"sh", "-c", std::move(line)}); }

  static std::string drain(int fd) {
    std::string out = sys::read_fd(fd).value_or("");
    return out;
  }

  Outcome run() {
    Outcome outcome;
    auto pipe = *sys::make_pipe();
    options_.stdio = {-1, pipe.second.get(), pipe.second.get()};
    auto container = create(spec_, options_);
    pipe.second.reset();
    if (!container) {
      outcome.error = container.error().message();
      return outcome;
    }
    warnings_ = (*container)->init().warnings;
    auto started = (*container)->start();
    if (!started) outcome.error = started.error().message();
    outcome.output = drain(pipe.first.get());
    auto status = sys::reap((*container)->init().pid);
    if (status) outcome.code = status->shell_code();
    EXPECT_TRUE((*container)->destroy());
    return outcome;
  }
  std::string output_of(std::string line) {
    shell(std::move(line));
    auto outcome = run();
    EXPECT_EQ(outcome.error, "");
    return outcome.output;
  }

  std::string top_, root_, mounts_before_;
  size_t descriptors_before_ = 0;
  cgroup::HostCgroups host_;
  oci::Spec spec_;
  CreateOptions options_;
  std::vector<std::string> warnings_;
};

/// A container that sleeps, to exec into.
class RunningBox : public RealContainer {
 protected:
  void SetUp() override {
    RealContainer::SetUp();
    if (IsSkipped()) return;
    command({"sleep", "1000"});
    options_.stdio = {};
    auto made = create(spec_, options_);
    ASSERT_TRUE(made) << made.error().message();
    container_ = std::move(*made);
    ASSERT_TRUE(container_->start());
    exec_.process = *spec_.process;
  }
  void TearDown() override {
    if (container_) {
      EXPECT_TRUE(container_->destroy());
      EXPECT_TRUE(sys::reap(container_->init().pid));
      container_.reset();
    }
    RealContainer::TearDown();
  }
  Outcome exec_shell(std::string line) {
    exec_.process.args = {"sh", "-c", std::move(line)};
    return exec_now();
  }
  Outcome exec_now() {
    Outcome outcome;
    auto pipe = *sys::make_pipe();
    exec_.stdio = {-1, pipe.second.get(), pipe.second.get()};
    auto process = exec(container_->init().pid, container_->cgroups(), exec_);
    pipe.second.reset();
    if (!process) {
      outcome.error = process.error().message();
      return outcome;
    }
    outcome.output = drain(pipe.first.get());
    outcome.code = sys::reap(process->pid)->shell_code();
    return outcome;
  }
  std::unique_ptr<Container> container_;
  ExecOptions exec_;
};

}  // namespace sampan::runtime
