#include "snapshot/subtree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>

#include "sys/file.h"
#include "sys/safe_path.h"
#include "sys/shell_for_test.h"
#include "sys/tree.h"

namespace sampan::snapshot {
namespace {

class Subtree : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sampan.subtree.XXXXXX";
    dir_ = ::mkdtemp(name);
    store_ = std::move(*store::open_store(dir_ + "/db"));
    snapshots_ = std::move(*open_overlay_snapshots(*store_, dir_ + "/snapshots"));
    layer("base", "",
          "mkdir -p d/e; echo base > d/a; echo gone > d/gone; echo base > d/e/f; ln -s /d/e way; ln -s ../../.. d/up");
    layer("top", "base", "mkdir -p d new; echo top > d/a; mknod d/gone c 0 0; echo 1 > new/file");
  }
  void TearDown() override {
    snapshots_.reset();
    store_.reset();
    (void)sys::remove_tree(dir_);
  }
  void layer(const std::string& name, const std::string& above, const std::string& commands) {
    auto diff = snapshots_->prepare_layer(SnapshotKey(name)).value();
    ASSERT_EQ(sys::run_shell_for_test(("cd " + diff + " && set -e; " + commands).c_str()), 0);
    ASSERT_TRUE(snapshots_->commit_layer(SnapshotKey(name),
                                         above.empty() ? std::nullopt : std::optional(SnapshotKey(above)), 1));
  }
  Result<sys::DirFd> open(const std::string& path, const char* name = "top") {
    return open_detached(TRY(subtree_mount(*snapshots_, SnapshotKey(name), path)));
  }
  std::string read(const std::string& path, const std::string& file) {
    auto root = open(path);
    if (!root) return root.error().message();
    auto text = sys::read_file_in_root(root->get(), file, 100);
    return text ? *text : text.error().message();
  }
  bool writable(const std::string& path) {
    auto root = open(path).value();
    return sys::open_at(root.get(), "nope", O_WRONLY | O_CREAT, 0600).error().errno_value() != EROFS;
  }

  std::string dir_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Snapshots> snapshots_;
};

TEST_F(Subtree, a_directory_is_what_the_layers_make_of_it) {
  EXPECT_EQ(read("d", "a"), "top\n");
  EXPECT_EQ(read("d", "e/f"), "base\n");
  EXPECT_THAT(read("d", "gone"), ::testing::HasSubstr("No such file"));
  EXPECT_EQ(read("", "d/a"), "top\n");
  EXPECT_EQ(read("new", "file"), "1\n");
  EXPECT_EQ(read("d/e", "f"), "base\n");
}

TEST_F(Subtree, nobody_writes_to_it) {
  for (const char* path : {"", "d", "d/e", "new"}) EXPECT_FALSE(writable(path)) << path;
}

TEST_F(Subtree, links_stay_inside_the_image) {
  EXPECT_EQ(read("way", "f"), "base\n");
  EXPECT_EQ(read("d/up", "d/a"), "top\n");
  EXPECT_EQ(read("../../d", "a"), "top\n");
}

TEST_F(Subtree, a_file_is_the_nearest_layers) {
  EXPECT_EQ(subtree_mount(*snapshots_, SnapshotKey("top"), "d/a").value().source, dir_ + "/snapshots/top/diff/d/a");
  EXPECT_EQ(subtree_mount(*snapshots_, SnapshotKey("top"), "d/e/f").value().source,
            dir_ + "/snapshots/base/diff/d/e/f");
}

TEST_F(Subtree, what_is_not_there_is_an_error) {
  EXPECT_EQ(subtree_mount(*snapshots_, SnapshotKey("top"), "d/gone").error().errno_value(), ENOENT);
  EXPECT_EQ(subtree_mount(*snapshots_, SnapshotKey("nobody"), "d").error().code(), Code::NotFound);
  ASSERT_TRUE(snapshots_->create_writable(SnapshotKey("w"), SnapshotKey("top")));
  EXPECT_EQ(subtree_mount(*snapshots_, SnapshotKey("w"), "d").error().code(), Code::InvalidArgument);
}

}  // namespace
}  // namespace sampan::snapshot
