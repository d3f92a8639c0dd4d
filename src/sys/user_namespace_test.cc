#include "sys/user_namespace.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/credentials.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/overlay.h"
#include "sys/process.h"
#include "sys/tree.h"

namespace sampan::sys {
namespace {

constexpr uint32_t kBase = 200000;

NsFd make_mapped_namespace() {
  auto child = clone_process({.namespaces = ns::kUser}).value();
  if (child.pid == 0)
    for (;;) ::pause();
  for (const char* file : {"gid_map", "uid_map"})
    EXPECT_TRUE(write_kernel_file(fmt::format("/proc/{}/{}", child.pid, file), fmt::format("0 {} 65536\n", kBase)));
  auto fd = open_file(fmt::format("/proc/{}/ns/user", child.pid), O_RDONLY).value();
  (void)send_signal(child.pidfd, SIGKILL);
  (void)reap(child.pid);
  return std::move(fd).as<NsFdTag>();
}

class MappedOverlay : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    char name[] = "/tmp/sampan.mapped.XXXXXX";
    dir_ = ::mkdtemp(name);
    for (const char* part : {"/low/diff", "/top/diff", "/top/work"}) ASSERT_TRUE(make_dirs(dir_ + part));
    ASSERT_TRUE(replace_file(dir_ + "/low/diff/f", "low", 0644, Durable::No));
    ASSERT_EQ(::chown((dir_ + "/low/diff/f").c_str(), 1000, 1000), 0);
    options_.values = {
        {"lowerdir+", dir_ + "/low/diff"}, {"upperdir", dir_ + "/top/diff"}, {"workdir", dir_ + "/top/work"}};
  }
  void TearDown() override {
    if (!dir_.empty()) (void)remove_tree(dir_);
  }
  static struct stat stat_of(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info;
  }
  void expect_mapped(const Result<MountFd>& mount) {
    ASSERT_TRUE(mount) << mount.error().message();
    std::string top = fmt::format("/proc/self/fd/{}/", mount->get());
    EXPECT_EQ(stat_of(top + "f").st_uid, kBase + 1000);
    EXPECT_LT(::open((top + "by-root").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), 0)
        << "the host's root is nobody";
    EXPECT_EQ(errno, EOVERFLOW);
    {
      auto identity = FileIdentity::assume(kBase, kBase).value();
      Fd made(::open((top + "n").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
      EXPECT_TRUE(made.valid());
    }
    EXPECT_EQ(stat_of(dir_ + "/top/diff/n").st_uid, 0u) << "on disk as inside";
    EXPECT_EQ(::chown((top + "f").c_str(), kBase + 5, kBase + 6), 0);
    EXPECT_EQ(stat_of(dir_ + "/top/diff/f").st_uid, 5u);
    EXPECT_EQ(stat_of(dir_ + "/top/diff/f").st_gid, 6u);
  }

  std::string dir_;
  OverlayOptions options_;
};

TEST_F(MappedOverlay, files_keep_on_disk_the_ids_that_they_have_inside) {
  expect_mapped(make_idmapped_overlay_mount(options_, 0, make_mapped_namespace(), kBase, kBase));
}

TEST_F(MappedOverlay, the_way_of_older_kernels_is_no_different) {
  expect_mapped(make_idmapped_overlay_mount_apart(options_, 0, make_mapped_namespace(), kBase, kBase));
}

TEST_F(MappedOverlay, layers_without_a_directory_in_common_are_refused) {
  options_.values[0].second = "/nowhere/diff";
  auto refused = make_idmapped_overlay_mount(options_, 0, make_mapped_namespace(), kBase, kBase);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::InvalidArgument);
}

TEST_F(MappedOverlay, an_identity_ends_with_its_capabilities_as_they_were) {
  auto before = get_capabilities().value();
  {
    auto identity = FileIdentity::assume(kBase, kBase).value();
    EXPECT_EQ(get_capabilities()->effective, before.effective);
  }
  EXPECT_EQ(get_capabilities()->effective, before.effective);
  ASSERT_TRUE(replace_file(dir_ + "/own", "", 0644, Durable::No));
  EXPECT_EQ(stat_of(dir_ + "/own").st_uid, 0u);
}

}  // namespace
}  // namespace sampan::sys
