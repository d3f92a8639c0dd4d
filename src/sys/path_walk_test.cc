#include "sys/path_walk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>

#include "sys/file.h"

namespace sampan::sys {
namespace {

int by_the_kernel(int root, const std::string& path, int flags, unsigned mode) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  if (flags & O_CREAT) how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  long fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

/// What was found, comparable: the error, or which object and what it was opened for.
std::string found(int raw) {
  if (raw < 0) return std::string("error ") + ::strerrorname_np(-raw);
  Fd fd(raw);
  struct stat info;
  if (::fstat(fd.get(), &info) < 0) return "unreadable";
  int flags = ::fcntl(fd.get(), F_GETFL) & (O_ACCMODE | O_PATH | O_APPEND | O_NONBLOCK);
  return fmt::format("{}:{} type {:o} flags {:o} {}", info.st_dev, info.st_ino, info.st_mode & S_IFMT, flags,
                     ::fcntl(fd.get(), F_GETFD));
}

/// root/ with what a hostile image could hold, and a secret beside it.
class PathWalk : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sampan-path-walk.XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    ASSERT_TRUE(make_dirs(top_ + "/root/a/b/c", 0755));
    ASSERT_TRUE(replace_file(top_ + "/secret", "outside"));
    ASSERT_TRUE(replace_file(top_ + "/root/a/file", "inside"));
    ASSERT_EQ(::mkfifo((top_ + "/root/a/fifo").c_str(), 0600), 0);
    const std::pair<const char*, const char*> links[] = {{"up", "../../../.."},
                                                         {"host", "/etc/../../secret"},
                                                         {"rooted", "/a"},
                                                         {"deep", "a/b/../b/c"},
                                                         {"loop", "loop"},
                                                         {"ping", "pong"},
                                                         {"pong", "ping"},
                                                         {"slash", "a/"},
                                                         {"fileslash", "a/file/"},
                                                         {"dangling", "/a/new"},
                                                         {"chain", "dangling"},
                                                         {"dot", "a/."},
                                                         {"top", "/"},
                                                         {"toomany", "many0"},
                                                         {"file", "rooted/file"}};
    for (const auto& [link, target] : links) make_link(target, link);
    for (int i = 0; i < 45; ++i) make_link("many" + std::to_string(i + 1), "many" + std::to_string(i));
    make_link("a", "many45");
    root_ = open_dir(top_ + "/root").value();
  }
  void TearDown() override {
    EXPECT_EQ(read_file(top_ + "/secret").value(), "outside");
    EXPECT_TRUE(remove_tree(top_));
  }
  void make_link(const std::string& target, const std::string& name) {
    ASSERT_EQ(::symlink(target.c_str(), (top_ + "/root/" + name).c_str()), 0);
  }
  void same(int root, const std::string& path, int flags) {
    int reference = by_the_kernel(root, path, flags, 0600);
    if (reference == -ENOSYS) GTEST_SKIP() << "nothing to compare with";
    std::string wanted = found(reference), got = found(walk_in_root(root, path, flags, 0600));
    EXPECT_EQ(got, wanted) << "\"" << path << "\" with flags " << std::oct << flags;
  }
  std::string top_;
  DirFd root_;
};

TEST_F(PathWalk, finds_what_openat2_finds) {
  const char* const paths[] = {
      ".",      "..",         "../..",         "a",         "a/b/c",      "a/../a/./b",
      "a/file", "a/file/x",   "a/file/..",     "none",      "none/x",     "none/..",
      "up",     "up/a/file",  "up/../secret",  "host",      "rooted",     "rooted/file",
      "deep",   "deep/../..", "deep/../../..", "loop",      "loop/x",     "ping",
      "slash",  "slash/b",    "fileslash",     "dangling",  "dangling/x", "chain",
      "dot",    "dot/..",     "top",           "top/top/a", "toomany",    "many6",
      "many5",  "many6/b",    "file",          "file/..",   "a//b",       "a/b/c/../../../../../../secret"};
  const int flags[] = {
      O_PATH,           O_PATH | O_NOFOLLOW,   O_PATH | O_DIRECTORY,   O_PATH | O_DIRECTORY | O_NOFOLLOW,
      O_RDONLY,         O_RDONLY | O_NOFOLLOW, O_RDONLY | O_DIRECTORY, O_WRONLY,
      O_RDWR | O_APPEND};
  for (const char* path : paths)
    for (int flag : flags) same(root_.get(), path, flag);
  same(root_.get(), "a/fifo", O_RDONLY | O_NONBLOCK);
  same(root_.get(), "a/fifo", O_PATH);
  same(root_.get(), std::string(300, 'n'), O_PATH);
  same(root_.get(), std::string(5000, 'n'), O_PATH);
  same(open_file(top_ + "/root/a/file", O_RDONLY)->get(), "x", O_PATH);
}

TEST_F(PathWalk, creates_where_openat2_creates) {
  const char* const paths[] = {"a/made", "dangling", "chain",     "up/made",   "none/made", "a",  ".",
                               "top",    "loop",     "fileslash", "rooted/in", "a/file",    "up", "slash"};
  for (const char* path : paths)
    for (int flags : {O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_CREAT | O_NOFOLLOW,
                      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW}) {
      auto names = [&] {
        return list_dir(top_ + "/root").value().size() * 100 + list_dir(top_ + "/root/a").value().size();
      };
      auto clean = [&] {
        for (const char* made : {"/a/made", "/a/new", "/made", "/a/in"}) (void)remove_file(top_ + "/root" + made);
      };
      int reference = by_the_kernel(root_.get(), path, flags, 0600);
      if (reference == -ENOSYS) GTEST_SKIP() << "nothing to compare with";
      size_t wanted = names();
      if (reference >= 0) ::close(reference);
      clean();
      int got = walk_in_root(root_.get(), path, flags, 0600);
      EXPECT_EQ(std::min(got, 0), std::min(reference, 0)) << path << " " << std::oct << flags;
      EXPECT_EQ(names(), wanted) << path << " " << std::oct << flags;
      if (got >= 0) ::close(got);
      clean();
    }
}

TEST_F(PathWalk, magic_links_of_procfs_are_refused_and_the_others_followed) {
  auto proc = open_dir("/proc").value();
  for (const char* path : {"self/exe", "self/root/etc", "self/cwd", "self/fd/0", "self/ns/mnt", "thread-self/exe",
                           "self/task/../exe", "mounts", "net/dev", "self/status", "self/exe/.."})
    for (int flags : {O_PATH, O_PATH | O_NOFOLLOW, O_RDONLY}) same(proc.get(), path, flags);
}

TEST_F(PathWalk, a_racing_rename_never_leads_out) {
  ASSERT_TRUE(make_dirs(top_ + "/root/x/inner", 0755));
  ASSERT_TRUE(make_dirs(top_ + "/outside/deep", 0755));
  make_link("../../..", "x/link");
  ASSERT_TRUE(replace_file(top_ + "/root/ok", "inside"));
  std::atomic<bool> stop = false;
  std::thread racer([&] {
    std::string from = top_ + "/root/x/inner", to = top_ + "/outside/inner", link = top_ + "/root/x/swap";
    while (!stop) {  // a directory leaves the tree and returns; a name is now a link and now a directory
      ::rename(from.c_str(), to.c_str());
      ::rename(to.c_str(), from.c_str());
      (void)!::symlink("../../secret", link.c_str());
      ::unlink(link.c_str());
      ::mkdir(link.c_str(), 0755);
      ::rmdir(link.c_str());
    }
  });
  struct stat secret, outside;
  ASSERT_EQ(::stat((top_ + "/secret").c_str(), &secret), 0);
  ASSERT_EQ(::stat(top_.c_str(), &outside), 0);
  for (int i = 0; i < 3000; ++i)
    for (const char* path :
         {"x/inner/../../../secret", "x/inner/../..", "x/swap", "x/link/secret", "x/inner/../../.."}) {
      Fd fd(walk_in_root(root_.get(), path, O_PATH, 0));
      struct stat info;
      if (!fd.valid() || ::fstat(fd.get(), &info) < 0) continue;
      ASSERT_NE(info.st_ino, secret.st_ino) << path;
      ASSERT_NE(info.st_ino, outside.st_ino) << path;
    }
  stop = true;
  racer.join();
}

}  // namespace
}  // namespace sampan::sys
