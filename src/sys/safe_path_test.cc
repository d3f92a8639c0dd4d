#include "sys/safe_path.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/file.h"

namespace sampan::sys {
namespace {

/// root/ with a directory, a file and links that try to leave it; canary/ beside it must never change.
class SafePath : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sampan-safe-path.XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    ASSERT_TRUE(make_dirs(top_ + "/root/dir", 0755));
    ASSERT_TRUE(make_dirs(top_ + "/canary", 0755));
    ASSERT_TRUE(replace_file(top_ + "/root/dir/file", "inside"));
    ASSERT_TRUE(replace_file(top_ + "/canary/secret", "outside"));
    link("../../canary", "up");
    link(top_ + "/canary", "absolute");
    link("/dir", "rooted");
    link("loop", "loop");
    link("/new/place", "dangling");
    auto root = open_dir(top_ + "/root");
    ASSERT_TRUE(root);
    root_ = std::move(*root);
  }
  void TearDown() override {
    auto names = list_dir(top_ + "/canary");
    ASSERT_TRUE(names);
    EXPECT_EQ(*names, std::vector<std::string>{"secret"});
    EXPECT_EQ(*read_file(top_ + "/canary/secret"), "outside");
    EXPECT_TRUE(remove_tree(top_));
  }
  void link(const std::string& target, const char* name) {
    ASSERT_EQ(::symlink(target.c_str(), (top_ + "/root/" + name).c_str()), 0);
  }
  std::string top_;
  DirFd root_;
};

TEST_F(SafePath, links_and_dots_stay_inside) {
  EXPECT_EQ(*read_file_in_root(root_.get(), "/rooted/file", 100), "inside");
  EXPECT_EQ(*read_file_in_root(root_.get(), "../../../dir/file", 100), "inside");
  EXPECT_EQ(open_in_root(root_.get(), "up/secret", O_RDONLY).error().errno_value(), ENOENT);
  EXPECT_EQ(open_in_root(root_.get(), "absolute/secret", O_RDONLY).error().errno_value(), ENOENT);
  EXPECT_EQ(open_in_root(root_.get(), "loop", O_RDONLY).error().errno_value(), ELOOP);
}

TEST_F(SafePath, trailing_slash_does_not_follow_a_final_link) {
  auto opened = open_in_root(root_.get(), "rooted/", O_PATH | O_NOFOLLOW);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(S_ISLNK(stat_fd(opened->get())->st_mode));
  EXPECT_EQ(open_in_root(root_.get(), "rooted//./", O_RDONLY | O_NOFOLLOW).error().errno_value(), ELOOP);
}

TEST_F(SafePath, magic_links_are_refused) {
  auto proc = open_dir("/proc");
  ASSERT_TRUE(proc);
  EXPECT_EQ(open_in_root(proc->get(), "self/exe", O_RDONLY).error().errno_value(), ELOOP);
  EXPECT_EQ(open_in_root(proc->get(), fmt::format("self/fd/{}", root_.get()), O_PATH).error().errno_value(), ELOOP);
}

TEST_F(SafePath, directories_are_made_inside_whatever_links_say) {
  ASSERT_TRUE(make_dirs_in_root(root_.get(), "/up/made/deep", 0750));
  EXPECT_TRUE(path_exists(top_ + "/root/canary/made/deep")) << "../../canary is /canary of the root";
  ASSERT_TRUE(make_dirs_in_root(root_.get(), "dangling/x", 0755));
  EXPECT_TRUE(path_exists(top_ + "/root/new/place/x"));
  struct stat info;
  ASSERT_EQ(::stat((top_ + "/root/canary/made").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0750U);
  EXPECT_EQ(make_dirs_in_root(root_.get(), "dir/file/x", 0755).error().errno_value(), ENOTDIR);
  EXPECT_FALSE(make_dirs_in_root(root_.get(), "loop/x", 0755));
  EXPECT_TRUE(make_dirs_in_root(root_.get(), "/", 0755));
}

TEST_F(SafePath, a_dangling_link_is_made_true_with_the_directories_on_its_way) {
  link("dangling", "chain");
  ASSERT_TRUE(create_file_in_root(root_.get(), "chain", 0644));
  EXPECT_TRUE(path_exists(top_ + "/root/new/place"));
  link("../../../high/file", "climbing");
  ASSERT_TRUE(create_file_in_root(root_.get(), "climbing", 0644));
  EXPECT_TRUE(path_exists(top_ + "/root/high/file"));
  EXPECT_EQ(create_file_in_root(root_.get(), "loop", 0644).error().errno_value(), ELOOP);
}

TEST_F(SafePath, files_are_created_inside_and_types_are_checked) {
  ASSERT_TRUE(create_file_in_root(root_.get(), "absolute/new", 0644));
  EXPECT_TRUE(path_exists(top_ + "/root" + top_ + "/canary/new"));
  EXPECT_EQ(create_file_in_root(root_.get(), "dir", 0644).error().errno_value(), EISDIR);
  ASSERT_EQ(::mkfifo((top_ + "/root/fifo").c_str(), 0600), 0);
  EXPECT_EQ(create_file_in_root(root_.get(), "fifo", 0644).error().code(), Code::InvalidArgument);
  EXPECT_TRUE(create_file_in_root(root_.get(), "fifo", 0644, FileType::Any));
  EXPECT_EQ(read_file_in_root(root_.get(), "fifo", 10).error().code(), Code::InvalidArgument) << "and does not block";
  EXPECT_EQ(read_file_in_root(root_.get(), "dir/file", 3).error().code(), Code::ResourceExhausted);
}

TEST_F(SafePath, a_parent_is_opened_and_its_entry_left_alone) {
  auto found = open_parent_in_root(root_.get(), "/dir/loop/");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->second, "loop");
  EXPECT_FALSE(open_parent_in_root(root_.get(), "/"));
  EXPECT_FALSE(open_parent_in_root(root_.get(), "dir/.."));
  EXPECT_TRUE(open_parent_in_root(root_.get(), "loop")) << "the loop itself is not followed";
}

}  // namespace
}  // namespace sampan::sys
