#include "sys/overlay.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/mount.h"

namespace sampan::sys {
namespace {

TEST(Overlay, mount_data_has_its_separators_escaped) {
  OverlayOptions options;
  options.values = {{"lowerdir+", "/a:b"}, {"upperdir", "/u,v"}, {"lowerdir+", "/c\\d"}};
  options.flags = {"userxattr"};
  EXPECT_EQ(overlay_mount_data(options), "lowerdir=/a\\:b:/c\\\\d,upperdir=/u\\,v,userxattr");
}

class RealOverlay : public testing::TestWithParam<decltype(&make_overlay_mount)> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_TRUE(::mkdtemp(root_));
  }
  void TearDown() override { EXPECT_TRUE(remove_tree(root_)); }
  std::string add(const std::string& name) {
    std::string dir = std::string(root_) + "/" + name;
    EXPECT_TRUE(make_dirs(dir));
    EXPECT_TRUE(replace_file(dir + "/" + name, "here", 0600, Durable::No));
    options_.values.emplace_back("lowerdir+", dir);
    return dir;
  }

  char root_[30] = "/tmp/sys.overlay.XXXXXX";
  OverlayOptions options_;
};

TEST_P(RealOverlay, unites_directories_and_leaves_nothing) {
  add("x:1");
  add("y,2");
  auto before = *read_file("/proc/self/mountinfo");
  {
    auto mount = GetParam()(options_, attr::kReadOnly);
    ASSERT_TRUE(mount) << mount.error().message();
    EXPECT_EQ(::faccessat(mount->get(), "x:1", F_OK, 0), 0);
    EXPECT_EQ(::faccessat(mount->get(), "y,2", F_OK, 0), 0);
  }
  EXPECT_EQ(*read_file("/proc/self/mountinfo"), before);
}

TEST_P(RealOverlay, unites_more_than_a_page_of_paths) {
  std::string last;
  for (int i = 0; i < 150; ++i) last = add("a-name-to-fill-the-page-sooner-" + std::to_string(i));
  auto mount = GetParam()(options_, 0);
  ASSERT_TRUE(mount) << mount.error().message();
  EXPECT_EQ(::faccessat(mount->get(), last.substr(last.rfind('/') + 1).c_str(), F_OK, 0), 0);
}

TEST_P(RealOverlay, a_missing_directory_is_an_error) {
  add("x");
  options_.values.emplace_back("lowerdir+", std::string(root_) + "/missing");
  EXPECT_EQ(GetParam()(options_, 0).error().errno_value(), ENOENT);
}

INSTANTIATE_TEST_SUITE_P(OldAndNew, RealOverlay, testing::Values(&make_overlay_mount, &make_overlay_mount_apart));

}  // namespace
}  // namespace sampan::sys
