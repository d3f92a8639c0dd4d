// The same operations over the real overlay snapshots: whiteouts are devices there, and removal has an order.

#include <gmock/gmock.h>

#include "image/internal/test_support.h"

namespace sampan::image {
namespace {

using testing::LocalRegistry;
using testing::MemorySink;
using testing::MemorySource;
using testing::RawPush;

bool is_whiteout(const std::string& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

class OverlayImages : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "whiteouts need root";
    if (!LocalRegistry::is_installed()) GTEST_SKIP() << "docker-registry is not installed";
    char name[] = "/tmp/image.test.XXXXXX";
    root_ = ::mkdtemp(name);
    store_ = std::move(*store::open_store(root_ + "/test.db"));
    snapshots_ = std::move(*snapshot::open_overlay_snapshots(*store_, root_));
    client_ = registry::make_client({});
    images_ = std::move(*open_images(*store_, *snapshots_, *client_, {root_}));
  }
  void TearDown() override {
    images_.reset();
    snapshots_.reset();
    store_.reset();
    if (!root_.empty()) (void)sys::remove_tree(root_);
  }
  std::string root_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<snapshot::Snapshots> snapshots_;
  std::unique_ptr<registry::Client> client_;
  std::unique_ptr<Images> images_;
};

TEST_P(OverlayImages, pulled_committed_pushed_saved_loaded_and_removed_without_a_trace) {
  const bool consume = GetParam();
  LocalRegistry registry;
  RawPush push(*client_, registry.host());
  const std::string tar = testing::make_tar({{"hello", "hi"}, {"gone", "x"}});
  push.image(testing::gzip(tar), oci::media::kOciLayerGzip, tar, "amd64", "latest");
  auto base = images_->pull(push.reference(), std::nullopt, {}, {}, {});
  ASSERT_TRUE(base) << base.error().message();

  const SnapshotKey writable(std::string(64, 'c'));
  ASSERT_TRUE(snapshots_->create_writable(writable, base->top));
  ASSERT_TRUE(sys::replace_file(snapshots_->diff_dir(writable) + "/new", "new"));
  ASSERT_EQ(::mknod((snapshots_->diff_dir(writable) + "/gone").c_str(), S_IFCHR, 0), 0);
  auto id = images_->commit({.writable = writable, .parent_id = base->id, .consume = consume});
  ASSERT_TRUE(id) << id.error().message();
  EXPECT_TRUE(is_whiteout(snapshots_->diff_dir(*images_->get(*id)->top) + "/gone"));
  EXPECT_EQ(snapshots_->exists(writable), !consume);
  ASSERT_TRUE(snapshots_->remove(writable));

  const oci::Reference second{registry.host(), "made/second", "latest", ""};
  ASSERT_TRUE(images_->tag(*id, second));
  auto pushed = images_->push(second, {}, {}, {});
  ASSERT_TRUE(pushed) << pushed.error().message();
  MemorySink archive;
  auto saved = images_->save({*id}, archive, {});
  ASSERT_TRUE(saved) << saved.error().message();
  ASSERT_TRUE(images_->remove(*id, Force::No, true, {}));
  MemorySource again(archive.text);
  auto loaded = images_->load(again, {}, {});
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_TRUE(is_whiteout(snapshots_->diff_dir(*images_->get(*id)->top) + "/gone"));

  ASSERT_TRUE(images_->recover());
  ASSERT_TRUE(images_->remove(*id, Force::No, true, {}));
  ASSERT_TRUE(images_->remove(base->id, Force::No, true, {}));
  EXPECT_TRUE(snapshots_->list()->empty());
  EXPECT_TRUE(sys::list_dir(root_ + "/blobs/sha256")->empty());
  EXPECT_TRUE(sys::list_dir(root_ + "/tmp")->empty());
}

INSTANTIATE_TEST_SUITE_P(CopyAndConsume, OverlayImages, ::testing::Bool());

}  // namespace
}  // namespace sampan::image
