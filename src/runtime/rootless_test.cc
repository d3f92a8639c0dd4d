// Containers of somebody who is not root.
#include <grp.h>

#include <functional>

#include "runtime/container_for_test.h"

namespace sampan::runtime {
namespace {

using testing::HasSubstr;

constexpr uint32_t kNobody = 65534;

class Rootless : public RealContainer {
 protected:
  void SetUp() override {
    RealContainer::SetUp();
    if (IsSkipped()) return;
    map_ids({0, kNobody, 1});
    for (auto& mount : spec_.mounts)
      std::erase_if(mount.options, [](const std::string& option) { return option == "gid=5"; });
  }

  /// Does it as nobody in a process apart, which ends in a user namespace of its own; what it says comes back.
  std::string as_nobody(const std::function<std::string()>& what) {
    auto pipe = *sys::make_pipe();
    pid_t pid = ::fork();
    if (pid == 0) {
      ::alarm(20);
      if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
          ::setresuid(kNobody, kNobody, kNobody) != 0)
        ::_exit(1);
      // Changing ids made this process one that its own user may not look at; a program that he runs is not.
      (void)sys::set_dumpable(true);
      (void)sys::write_all(pipe.second.get(), what());
      ::_exit(0);
    }
    pipe.second.reset();
    auto said = drain(pipe.first.get());
    EXPECT_EQ(sys::reap(pid)->shell_code(), 0);
    return said;
  }
  std::string run_as_nobody(std::string line) {
    shell(std::move(line));
    return as_nobody([this] {
      auto outcome = run();
      return outcome.output + outcome.error;
    });
  }
};

TEST_F(Rootless, root_inside_is_the_caller_outside) {
  auto seen = run_as_nobody(
      "id -u; cat /proc/self/uid_map; hostname; echo $$; echo x > /dev/null && echo null; ls /sys/fs/cgroup > "
      "/dev/null && echo groups");
  EXPECT_THAT(seen, testing::MatchesRegex("0\n +0 +65534 +1\nbox\n1\nnull\ngroups\n"));
}

TEST_F(Rootless, limits_that_cannot_be_had_are_an_error) {
  spec_.linux_->resources.emplace().pids = oci::PidsLimit{40};
  EXPECT_THAT(run_as_nobody("true"), HasSubstr("ermission denied"));
}

TEST_F(Rootless, what_it_needs_is_named) {
  auto mappings = std::exchange(spec_.linux_->uid_mappings, {});
  EXPECT_EQ(run_as_nobody("true"), "rootless containers requires at least one UID mapping");
  spec_.linux_->uid_mappings = {{1, kNobody, 1}};
  EXPECT_THAT(run_as_nobody("true"), HasSubstr("map a user to root"));
  spec_.linux_->uid_mappings = mappings;
  spec_.process->user.additional_gids = {7};
  EXPECT_THAT(run_as_nobody("true"), HasSubstr("cannot set any additional groups in a rootless container"));
  spec_.linux_->uid_mappings.clear();
  spec_.linux_->gid_mappings.clear();
  spec_.linux_->namespaces.pop_back();
  EXPECT_EQ(run_as_nobody("true"), "rootless container requires user namespaces");
}

TEST_F(Rootless, exec_joins_it) {
  command({"sleep", "1000"});
  auto seen = as_nobody([&]() -> std::string {
    options_.stdio = {};
    auto container = create(spec_, options_);
    if (!container) return container.error().message();
    if (auto started = (*container)->start(); !started) return started.error().message();
    auto pipe = *sys::make_pipe();
    ExecOptions options;
    options.process = *spec_.process;
    options.process.args = {"sh", "-c", "id -u; hostname"};
    options.stdio = {-1, pipe.second.get(), pipe.second.get()};
    auto process = exec((*container)->init().pid, (*container)->cgroups(), options);
    pipe.second.reset();
    std::string out = process ? drain(pipe.first.get()) : process.error().message();
    if (process) (void)sys::reap(process->pid);
    if (auto destroyed = (*container)->destroy(); !destroyed) out += destroyed.error().message();
    (void)sys::reap((*container)->init().pid);
    return out;
  });
  EXPECT_EQ(seen, "0\nbox\n");
}

}  // namespace
}  // namespace sampan::runtime
