#include "snapshot/snapshot.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/safe_path.h"
#include "sys/shell_for_test.h"
#include "sys/tree.h"

namespace sampan::snapshot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SnapshotTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sampan.snapshot.XXXXXX";
    dir_ = ::mkdtemp(name);
    reopen();
  }
  void TearDown() override {
    snapshots_.reset();
    store_.reset();
    (void)sys::remove_tree(dir_);
  }
  void reopen() {
    snapshots_.reset();
    store_.reset();
    store_ = std::move(*store::open_store(dir_ + "/db"));
    auto opened = open_overlay_snapshots(*store_, root());
    ASSERT_TRUE(opened) << opened.error().message();
    snapshots_ = std::move(*opened);
  }
  std::string root() const { return dir_ + "/snapshots"; }
  static SnapshotKey key(const std::string& name) { return SnapshotKey(name); }
  static std::optional<SnapshotKey> parent(const std::string& name) {
    return name.empty() ? std::nullopt : std::optional(SnapshotKey(name));
  }
  static void shell_in(const std::string& dir, const std::string& commands) {
    ASSERT_EQ(sys::run_shell_for_test(("cd " + dir + " && set -e; " + commands).c_str()), 0) << commands;
  }
  void layer(const std::string& name, const std::string& above, const std::string& commands) {
    auto diff = snapshots_->prepare_layer(key(name));
    ASSERT_TRUE(diff) << diff.error().message();
    shell_in(*diff, commands);
    auto committed = snapshots_->commit_layer(key(name), parent(above), 7);
    ASSERT_TRUE(committed) << committed.error().message();
  }
  void writable(const std::string& name, const std::string& above) {
    auto made = snapshots_->create_writable(key(name), parent(above));
    ASSERT_TRUE(made) << made.error().message();
  }
  /// Runs commands with the united tree as working directory, as a container would see it.
  void shell_inside(const std::string& name, const std::string& commands) {
    auto root = open_detached(snapshots_->mount(key(name)).value());
    ASSERT_TRUE(root) << root.error().message();
    shell_in(fmt::format("/proc/{}/fd/{}", ::getpid(), root->get()), commands);
  }
  std::vector<std::string> changes(const std::string& name) {
    auto found = snapshots_->changes(key(name));
    EXPECT_TRUE(found) << found.error().message();
    std::vector<std::string> out;
    for (const auto& change : found.value())
      out.push_back(std::string(1, "CAD"[static_cast<int>(change.kind)]) + " " + change.path);
    return out;
  }

  std::string dir_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Snapshots> snapshots_;
};

TEST_F(SnapshotTest, layers_unite_nearest_first_and_writes_go_to_the_top) {
  layer("base", "", "echo base > a; echo base > b; mkdir d; echo x > d/x");
  layer("mid", "base", "echo mid > b; mknod a c 0 0");
  writable("c1", "mid");
  shell_inside("c1", "test ! -e a; test $(cat b) = mid; echo new > d/new; rm d/x");
  EXPECT_EQ(sys::read_file(snapshots_->diff_dir(key("c1")) + "/d/new").value(), "new\n");
  EXPECT_THAT(sys::list_dir(root() + "/base/diff/d").value(), ElementsAre("x"));
  EXPECT_THAT(snapshots_->parent_diffs(key("c1")).value(), ElementsAre(root() + "/mid/diff", root() + "/base/diff"));
}

TEST_F(SnapshotTest, mount_says_what_the_kernel_is_to_do) {
  layer("base", "", "true");
  layer("mid", "base", "true");
  writable("c1", "mid");
  writable("empty", "");
  auto mount = snapshots_->mount(key("c1")).value();
  EXPECT_EQ(mount.type, "overlay");
  EXPECT_EQ(mount.destination, "");
  EXPECT_THAT(mount.options, ElementsAre("lowerdir+=" + root() + "/mid/diff", "lowerdir+=" + root() + "/base/diff",
                                         "upperdir=" + root() + "/c1/diff", "workdir=" + root() + "/c1/work",
                                         "index=off", "redirect_dir=off", "metacopy=off"));
  mount = snapshots_->mount(key("empty")).value();
  EXPECT_EQ(mount.type, "bind");
  EXPECT_THAT(mount.options, ElementsAre("bind", "rw"));
  mount = snapshots_->mount(key("base")).value();
  EXPECT_EQ(mount.source, root() + "/base/diff");
  EXPECT_THAT(mount.options, ElementsAre("bind", "ro"));
  mount = snapshots_->mount(key("mid")).value();
  EXPECT_EQ(mount.options[0], "ro");
  EXPECT_EQ(snapshots_->mount(key("nothing")).error().code(), Code::NotFound);
}

TEST_F(SnapshotTest, read_only_snapshots_mount_read_only) {
  layer("base", "", "echo 1 > a");
  layer("mid", "base", "echo 2 > b");
  for (const char* name : {"base", "mid"}) {
    auto top = open_detached(snapshots_->mount(key(name)).value());
    ASSERT_TRUE(top) << top.error().message();
    EXPECT_EQ(sys::open_at(top->get(), "new", O_WRONLY | O_CREAT, 0600).error().errno_value(), EROFS);
    EXPECT_TRUE(sys::open_at(top->get(), "a", O_RDONLY));
  }
}

TEST_F(SnapshotTest, detached_mount_goes_with_its_descriptor) {
  layer("base", "", "echo 1 > a");
  writable("c1", "base");
  auto mounts = sys::read_file("/proc/self/mountinfo").value();
  {
    auto top = open_detached(snapshots_->mount(key("c1")).value());
    ASSERT_TRUE(top);
    EXPECT_EQ(sys::read_file("/proc/self/mountinfo").value(), mounts) << "nobody sees it";
    EXPECT_EQ(sys::read_file_in_root(top->get(), "a", 100).value(), "1\n");
  }
  EXPECT_TRUE(open_detached(snapshots_->mount(key("c1")).value())) << "a second one after the first";
}

TEST_F(SnapshotTest, more_than_128_layers_unite) {
  for (int i = 0; i < 200; ++i) {
    std::string above = i == 0 ? "" : fmt::format("l{}", i - 1);
    auto diff = snapshots_->prepare_layer(key(fmt::format("l{}", i)));
    ASSERT_TRUE(sys::replace_file(*diff + fmt::format("/f{}", i), "x", 0644, sys::Durable::No));
    ASSERT_TRUE(store_->query("INSERT INTO snapshots VALUES(?, ?, 0, 0, 0)",
                              {fmt::format("l{}", i), above.empty() ? store::Value(nullptr) : store::Value(above)}));
  }
  writable("c1", "l199");
  auto top = open_detached(snapshots_->mount(key("c1")).value());
  ASSERT_TRUE(top) << top.error().message();
  EXPECT_EQ(sys::list_dir(fmt::format("/proc/self/fd/{}", top->get())).value().size(), 200u);
}

TEST_F(SnapshotTest, opaque_root_ends_the_chain) {
  layer("base", "", "echo 1 > a");
  layer("mid", "base",
        "echo 2 > b; setfattr -n trusted.overlay.opaque -v y . 2>/dev/null || "
        "python3 -c \"import os; os.setxattr('.', 'trusted.overlay.opaque', b'y')\"");
  writable("c1", "mid");
  EXPECT_THAT(snapshots_->parent_diffs(key("c1")).value(), ElementsAre(root() + "/mid/diff"));
  shell_inside("c1", "test ! -e a; test -e b");
}

TEST_F(SnapshotTest, writable_root_looks_like_its_parents) {
  layer("base", "", "chmod 1777 .; chown 5:6 .");
  writable("c1", "base");
  struct stat info;
  ASSERT_EQ(::stat(snapshots_->diff_dir(key("c1")).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 01777u);
  EXPECT_EQ(info.st_uid, 5u);
}

TEST_F(SnapshotTest, lifecycle_errors) {
  layer("base", "", "true");
  writable("c1", "base");
  EXPECT_TRUE(snapshots_->commit_layer(key("base"), std::nullopt, 7)) << "again is fine";
  EXPECT_EQ(snapshots_->prepare_layer(key("base")).error().code(), Code::AlreadyExists);
  EXPECT_EQ(snapshots_->discard_layer(key("base")).error().code(), Code::Conflict);
  EXPECT_EQ(snapshots_->create_writable(key("c1"), key("base")).error().code(), Code::AlreadyExists);
  EXPECT_EQ(snapshots_->create_writable(key("c2"), key("nothing")).error().code(), Code::NotFound);
  EXPECT_EQ(snapshots_->create_writable(key("c2"), key("c1")).error().code(), Code::Conflict);
  EXPECT_EQ(snapshots_->commit_layer(key("unprepared"), std::nullopt, 1).error().code(), Code::NotFound);
  EXPECT_EQ(snapshots_->create_writable(key("../x"), std::nullopt).error().code(), Code::InvalidArgument);
  EXPECT_EQ(snapshots_->create_writable(key(".trash"), std::nullopt).error().code(), Code::InvalidArgument);
  EXPECT_EQ(snapshots_->remove(key("base")).error().code(), Code::Conflict);
  EXPECT_TRUE(snapshots_->remove(key("c1")));
  EXPECT_TRUE(snapshots_->remove(key("c1")));
  EXPECT_TRUE(snapshots_->remove(key("base")));
  EXPECT_THAT(snapshots_->list().value(), IsEmpty());
  EXPECT_FALSE(sys::path_exists(root() + "/base"));
}

TEST_F(SnapshotTest, prepared_again_is_empty_and_discarded_is_gone) {
  shell_in(snapshots_->prepare_layer(key("half")).value(), "echo 1 > a");
  EXPECT_THAT(sys::list_dir(snapshots_->prepare_layer(key("half")).value()).value(), IsEmpty());
  EXPECT_FALSE(snapshots_->exists(key("half")));
  EXPECT_TRUE(snapshots_->discard_layer(key("half")));
  EXPECT_FALSE(sys::path_exists(root() + "/half"));
}

TEST_F(SnapshotTest, promoted_layer_has_the_files_and_the_writable_one_is_gone) {
  layer("base", "", "echo 1 > a");
  writable("c1", "base");
  shell_inside("c1", "rm a; echo 2 > b");
  ASSERT_TRUE(snapshots_->promote(key("c1"), key("built"), 2));
  EXPECT_FALSE(snapshots_->exists(key("c1")));
  EXPECT_FALSE(sys::path_exists(root() + "/c1"));
  auto info = snapshots_->info(key("built")).value();
  EXPECT_EQ(info.parent->str(), "base");
  EXPECT_FALSE(info.writable);
  writable("c2", "built");
  shell_inside("c2", "test ! -e a; test $(cat b) = 2");
  writable("c3", "base");
  EXPECT_TRUE(snapshots_->promote(key("c3"), key("built"), 2)) << "the layer is there already";
  EXPECT_FALSE(snapshots_->exists(key("c3")));
  EXPECT_EQ(snapshots_->promote(key("base"), key("other"), 2).error().code(), Code::Conflict);
}

TEST_F(SnapshotTest, recover_removes_what_has_no_other_half) {
  layer("base", "", "echo 1 > a");
  layer("lost", "", "echo 1 > a");
  writable("c1", "base");
  writable("orphan", "lost");
  (void)snapshots_->prepare_layer(key("half"));
  ASSERT_TRUE(sys::make_dirs(root() + "/stray/diff"));
  ASSERT_TRUE(sys::make_dirs(root() + "/.trash/9/deep"));
  ASSERT_TRUE(sys::remove_tree(root() + "/lost"));
  reopen();
  ASSERT_TRUE(snapshots_->recover());
  EXPECT_TRUE(snapshots_->exists(key("base")));
  EXPECT_TRUE(snapshots_->exists(key("c1")));
  EXPECT_FALSE(snapshots_->exists(key("lost")));
  EXPECT_EQ(snapshots_->mount(key("orphan")).error().code(), Code::NotFound);
  EXPECT_TRUE(snapshots_->exists(key("orphan"))) << "a container's files are kept";
  snapshots_.reset();  // ends the deletions
  EXPECT_THAT(sys::list_dir(root()).value(), ElementsAre(".trash", "base", "c1", "orphan"));
  EXPECT_THAT(sys::list_dir(root() + "/.trash").value(), IsEmpty());
}

TEST_F(SnapshotTest, tree_deeper_than_descriptors_and_paths_is_removed) {
  writable("c1", "");
  int dir = sys::open_dir(snapshots_->diff_dir(key("c1"))).value().release();
  for (int i = 0; i < 3000; ++i) {
    ASSERT_EQ(::mkdirat(dir, "directory", 0755), 0);
    int next = ::openat(dir, "directory", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ::close(dir);
    dir = next;
  }
  ::close(dir);
  EXPECT_TRUE(snapshots_->changes(key("c1")));
  EXPECT_TRUE(snapshots_->usage(key("c1")));
  ASSERT_TRUE(snapshots_->remove(key("c1")));
  snapshots_.reset();
  EXPECT_THAT(sys::list_dir(root() + "/.trash").value(), IsEmpty());
}

TEST_F(SnapshotTest, usage_counts_bytes_and_hard_links_once) {
  writable("c1", "");
  shell_in(snapshots_->diff_dir(key("c1")),
           "head -c 1000 /dev/zero > a; mkdir d; ln a d/b; head -c 50 /dev/zero > d/c");
  EXPECT_EQ(snapshots_->usage(key("c1")).value(), 1050u);
  layer("base", "", "true");
  EXPECT_EQ(snapshots_->usage(key("base")).value(), 7u);
}

class SnapshotChanges : public SnapshotTest {
 protected:
  void SetUp() override {
    SnapshotTest::SetUp();
    layer("base", "",
          "mkdir -p etc usr/bin tmp var/log/deep; echo 1 > etc/passwd; echo ls > usr/bin/ls; echo l > var/log/deep/l; "
          "echo m > var/log/m; ln -s usr/bin bin; chmod 1777 tmp; echo old > gone; touch -d '2001-01-01' etc/passwd "
          "usr/bin/ls");
    layer("mid", "base", "mknod gone c 0 0; mkdir -p usr; echo second > usr/second");
    writable("c1", "mid");
  }
};

TEST_F(SnapshotChanges, nothing_changed_is_nothing) {
  EXPECT_THAT(changes("c1"), IsEmpty());
}

TEST_F(SnapshotChanges, added_modified_and_deleted_with_their_directories) {
  shell_inside("c1", "echo 2 >> etc/passwd; echo n > tmp/new; rm usr/bin/ls; mkdir -p opt/a; echo x > opt/a/b");
  EXPECT_THAT(changes("c1"), ElementsAre("C /etc", "C /etc/passwd", "A /opt", "A /opt/a", "A /opt/a/b", "C /tmp",
                                         "A /tmp/new", "C /usr", "C /usr/bin", "D /usr/bin/ls"));
}

TEST_F(SnapshotChanges, what_a_lower_had_deleted_is_added_when_made_again) {
  shell_inside("c1", "echo again > gone");
  EXPECT_THAT(changes("c1"), ElementsAre("A /gone"));
}

TEST_F(SnapshotChanges, copied_up_but_unchanged_is_no_change) {
  shell_inside("c1", "exec 3<>etc/passwd; exec 3>&-; touch tmp/t; rm tmp/t");
  EXPECT_TRUE(sys::path_exists(snapshots_->diff_dir(key("c1")) + "/etc/passwd")) << "it was copied up";
  EXPECT_THAT(changes("c1"), IsEmpty());
}

TEST_F(SnapshotChanges, metadata_alone_is_a_change) {
  shell_inside("c1", "chmod 600 etc/passwd; chown 5 tmp");
  EXPECT_THAT(changes("c1"), ElementsAre("C /etc", "C /etc/passwd", "C /tmp"));
}

TEST_F(SnapshotChanges, directory_removed_and_made_again_loses_its_old_names) {
  shell_inside("c1", "rm -r var/log; mkdir -p var/log/deep; echo n > var/log/n");
  EXPECT_THAT(changes("c1"), ElementsAre("C /var", "C /var/log", "C /var/log/deep", "D /var/log/deep/l", "D /var/log/m",
                                         "A /var/log/n"));
}

TEST_F(SnapshotChanges, removed_directory_is_told_once) {
  shell_inside("c1", "rm -r var");
  EXPECT_THAT(changes("c1"), ElementsAre("D /var"));
}

TEST_F(SnapshotChanges, type_changes_are_modifications) {
  shell_inside("c1", "rm -r var; echo f > var; rm bin; mkdir bin; echo x > bin/x; rm etc/passwd; ln -s x etc/passwd");
  EXPECT_THAT(changes("c1"), ElementsAre("C /bin", "A /bin/x", "C /etc", "C /etc/passwd", "C /var", "D /var/log"));
}

TEST_F(SnapshotChanges, mount_targets_of_every_container_are_not_told) {
  shell_inside("c1", "touch etc/hosts etc/hostname .dockerenv; mkdir -p dev/pts proc sys; touch dev/console");
  EXPECT_THAT(changes("c1"), IsEmpty());
  shell_inside("c1", "echo 127.0.0.1 > etc/hosts");
  EXPECT_THAT(changes("c1"), ElementsAre("C /etc", "A /etc/hosts"));
}

TEST_F(SnapshotChanges, without_a_parent_all_is_added) {
  writable("c2", "");
  shell_inside("c2", "mkdir d; echo 1 > d/f");
  EXPECT_THAT(changes("c2"), ElementsAre("A /d", "A /d/f"));
}

}  // namespace
}  // namespace sampan::snapshot
