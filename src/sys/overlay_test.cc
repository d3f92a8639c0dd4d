#include "sys/overlay.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/mount.h"

namespace sampan::sys {
namespace {

TEST(Overlay, lower_directories_in_one_string_have_their_separators_escaped) {
  EXPECT_EQ(join_lower_dirs({{"lowerdir+", "/a:b"}, {"upperdir", "/u"}, {"lowerdir+", "/c\\d"}}), "/a\\:b:/c\\\\d");
  EXPECT_EQ(join_lower_dirs({{"upperdir", "/u"}}), "");
}

TEST(Overlay, unites_directories_on_whatever_kernel_this_is) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  char root[] = "/tmp/sys.overlay.XXXXXX";
  ASSERT_TRUE(::mkdtemp(root));
  OverlayOptions options;
  for (const char* name : {"/x:1", "/y"}) {
    ASSERT_TRUE(make_dirs(std::string(root) + name));
    ASSERT_TRUE(replace_file(std::string(root) + name + name, "here", 0600, Durable::No));
    options.values.emplace_back("lowerdir+", std::string(root) + name);
  }
  {
    auto mount = make_overlay_mount(options, attr::kReadOnly);
    ASSERT_TRUE(mount) << mount.error().message();
    EXPECT_EQ(::faccessat(mount->get(), "x:1", F_OK, 0), 0);
    EXPECT_EQ(::faccessat(mount->get(), "y", F_OK, 0), 0);
  }
  options.values = {{"lowerdir+", std::string(root) + "/missing"}, {"lowerdir+", std::string(root) + "/y"}};
  EXPECT_EQ(make_overlay_mount(options, 0).error().errno_value(), ENOENT);
  EXPECT_TRUE(remove_tree(root));
}

}  // namespace
}  // namespace sampan::sys
