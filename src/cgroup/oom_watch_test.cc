#include "cgroup/oom_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "cgroup/internal/files.h"
#include "sys/file.h"

namespace sampan::cgroup {
namespace {

bool readable(int fd, int timeout_ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

/// Joins, then takes memory until it is killed for it.
pid_t hungry_child(const Cgroup& cgroup) {
  auto files = cgroup.join_fds();
  EXPECT_TRUE(files);
  sys::Fd keep(::memfd_create("hungry", MFD_CLOEXEC));
  pid_t pid = ::fork();
  if (pid != 0) return pid;
  for (const auto& file : *files)
    if (!sys::write_all(file.get(), "0")) ::_exit(1);
  for (int i = 0; i < 64; ++i) {
    std::string block(1 << 20, 'x');
    if (!sys::write_all(keep.get(), block)) ::_exit(3);
  }
  ::_exit(2);
}

TEST(OomWatch, a_kill_for_memory_and_the_removal_are_told) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  auto host = detect_host();
  ASSERT_TRUE(host);
  if (!host->has("memory")) GTEST_SKIP() << "no memory controller";
  std::vector<std::string> warnings;
  oci::Resources resources;
  resources.memory.emplace().limit = 16 << 20;
  resources.memory->swap = 16 << 20;
  auto cgroup = Cgroup::create(*host, "/sampan-oom-test-" + std::to_string(::getpid()), resources, warnings);
  ASSERT_TRUE(cgroup) << cgroup.error().message();
  auto watch = OomWatch::open(*cgroup);
  ASSERT_TRUE(watch) << watch.error().message();
  EXPECT_EQ(watch->take()->count, 0U);
  pid_t pid = hungry_child(*cgroup);
  // Version 2 wakes for the first process too, and counts as gone as soon as the last one ended.
  OomWatch::News seen;
  auto listen = [&](auto done) {
    while (!done() && readable(watch->fd(), 5000)) {
      auto news = watch->take();
      ASSERT_TRUE(news) << news.error().message();
      seen.count += news->count;
      seen.gone = seen.gone || news->gone;
    }
  };
  listen([&] { return seen.count > 0; });
  EXPECT_GE(seen.count, 1U);
  int status;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_GE(*cgroup->oom_kills(), 1U);
  EXPECT_TRUE(cgroup->remove());
  listen([&] { return seen.gone; });
  EXPECT_TRUE(seen.gone);
}

TEST(OomWatch, version_2_counts_kills_by_memory_events) {
  char root[] = "/tmp/cgroup.oom.XXXXXX";
  ASSERT_TRUE(::mkdtemp(root));
  HostCgroups host;
  host.version = Version::V2;
  host.v2_root = root;
  std::string dir = std::string(root) + "/c";
  auto put = [&](const char* file, const char* text) {
    ASSERT_TRUE(sys::replace_file(dir + "/" + file, text, 0600, sys::Durable::No));
  };
  auto change = [&](const char* file, const char* text) {
    ASSERT_TRUE(sys::write_all(sys::open_file(dir + "/" + file, O_WRONLY)->get(), text));
  };
  ASSERT_TRUE(sys::make_dirs(dir));
  put("memory.events", "low 0\noom 1\noom_kill 1\n");
  put("cgroup.events", "populated 1\nfrozen 0\n");
  auto watch = OomWatch::open(Cgroup::open(host, "/c"));
  ASSERT_TRUE(watch) << watch.error().message();
  EXPECT_EQ(watch->take()->count, 0U) << "what was before is no news";
  change("memory.events", "low 0\noom 3\noom_kill 3\n");
  EXPECT_TRUE(readable(watch->fd(), 1000));
  EXPECT_EQ(watch->take()->count, 2U);
  EXPECT_FALSE(readable(watch->fd(), 0));
  change("cgroup.events", "populated 0\nfrozen 0\n");
  EXPECT_TRUE(readable(watch->fd(), 1000));
  EXPECT_TRUE(watch->take()->gone);
  EXPECT_TRUE(sys::remove_tree(root));
}

}  // namespace
}  // namespace sampan::cgroup
