#include "volume/volume.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <thread>

#include "sys/file.h"

namespace sampan::volume {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Map = std::map<std::string, std::string>;

class VolumeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sampan.volume.XXXXXX";
    dir_ = ::mkdtemp(name);
    reopen();
  }
  void TearDown() override {
    volumes_.reset();
    store_.reset();
    (void)sys::remove_tree(dir_);
  }
  void reopen() {
    volumes_.reset();
    store_.reset();
    store_ = std::move(*store::open_store(dir_ + "/db"));
    volumes_ = std::move(*open_volumes(*store_, root()));
    ASSERT_TRUE(volumes_->recover());
  }
  std::string root() const { return dir_ + "/volumes"; }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const auto& record : volumes_->list().value()) out.push_back(record.name);
    return out;
  }

  std::string dir_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Volumes> volumes_;
};

TEST_F(VolumeTest, created_volume_has_a_directory_and_survives_a_restart) {
  auto made = volumes_->create("data", "", {{"a", "b"}}, {});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->driver, "local");
  EXPECT_EQ(made->mountpoint, root() + "/data/_data");
  EXPECT_THAT(made->created, ::testing::MatchesRegex("....-..-..T..:..:..Z"));
  struct stat info;
  ASSERT_EQ(::stat(made->mountpoint.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode, S_IFDIR | 0755u);
  ASSERT_TRUE(sys::replace_file(made->mountpoint + "/f", "x"));
  reopen();
  auto again = volumes_->get("data").value();
  EXPECT_EQ(again.labels, (Map{{"a", "b"}}));
  EXPECT_EQ(again.created, made->created);
  EXPECT_EQ(again.mountpoint, made->mountpoint);
  EXPECT_FALSE(again.anonymous);
  EXPECT_TRUE(sys::path_exists(again.mountpoint + "/f"));
}

TEST_F(VolumeTest, create_again_answers_the_existing_one) {
  (void)volumes_->create("data", "local", {{"a", "1"}}, {});
  auto again = volumes_->create("data", "local", {{"a", "2"}}, {});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->labels, (Map{{"a", "1"}}));
  auto other = volumes_->create("data", "nfs", {}, {});
  EXPECT_EQ(other.error().code(), Code::Conflict);
  EXPECT_EQ(other.error().message(), "create data: conflict: volume name must be unique");
}

TEST_F(VolumeTest, anonymous_volume_has_64_digits_and_dockers_label) {
  auto made = volumes_->create("", "", {}, {}).value();
  EXPECT_TRUE(made.anonymous);
  EXPECT_THAT(made.name, ::testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(made.name.size(), 64u);
  EXPECT_TRUE(made.labels.contains("com.docker.volume.anonymous"));
  reopen();
  EXPECT_TRUE(volumes_->get(made.name).value().anonymous);
}

TEST_F(VolumeTest, bad_names_drivers_and_missing_volumes_have_dockers_words) {
  EXPECT_EQ(volumes_->create("x", "", {}, {}).error().message(),
            "create x: volume name is too short, names should be at least two alphanumeric characters");
  for (const char* name : {"..", "a/b", "../etc", ".trash", "-a", "a b", "a\n"}) {
    auto made = volumes_->create(name, "", {}, {});
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(made.error().code(), Code::InvalidArgument);
    EXPECT_THAT(made.error().message(), HasSubstr("includes invalid characters for a local volume name")) << name;
  }
  auto foreign = volumes_->create("data", "sshfs", {}, {});
  EXPECT_EQ(foreign.error().code(), Code::NotFound);
  EXPECT_THAT(foreign.error().message(), HasSubstr("plugin \"sshfs\" not found"));
  EXPECT_EQ(volumes_->get("data").error().message(), "get data: no such volume");
  EXPECT_EQ(volumes_->remove("../x").error().code(), Code::NotFound);
  EXPECT_THAT(names(), ElementsAre());
}

TEST_F(VolumeTest, removed_volume_leaves_nothing) {
  auto made = volumes_->create("data", "", {}, {}).value();
  ASSERT_TRUE(sys::make_dirs(made.mountpoint + "/deep/er"));
  ASSERT_TRUE(volumes_->remove("data"));
  EXPECT_FALSE(sys::path_exists(root() + "/data"));
  EXPECT_THAT(sys::list_dir(root() + "/.trash").value(), ElementsAre());
  EXPECT_EQ(volumes_->remove("data").error().code(), Code::NotFound);
  ASSERT_TRUE(volumes_->create("data", "", {}, {}));
  EXPECT_THAT(sys::list_dir(made.mountpoint).value(), ElementsAre());
}

TEST_F(VolumeTest, recover_adopts_directories_makes_missing_ones_and_sets_broken_records_aside) {
  (void)volumes_->create("lost", "", {{"k", "v"}}, {});
  (void)volumes_->create("broken", "", {}, {});
  ASSERT_TRUE(sys::remove_tree(root() + "/lost"));
  ASSERT_TRUE(sys::make_dirs(root() + "/found/_data/files"));
  ASSERT_TRUE(sys::make_dirs(root() + "/not-a-volume"));
  ASSERT_TRUE(sys::make_dirs(root() + "/.trash/3/_data"));
  ASSERT_TRUE(store::put_document(*store_, "volume", "broken", "{nonsense"));
  reopen();
  EXPECT_THAT(names(), ElementsAre("broken", "found", "lost"));
  EXPECT_TRUE(sys::path_exists(root() + "/lost/_data"));
  EXPECT_EQ(volumes_->get("lost").value().labels, (Map{{"k", "v"}}));
  EXPECT_FALSE(volumes_->get("found").value().anonymous);
  EXPECT_FALSE(sys::path_exists(root() + "/.trash/3"));
  EXPECT_EQ(store_->query("SELECT count(*) FROM quarantine").value()[0][0], store::Value(int64_t{1}));
}

TEST_F(VolumeTest, threads_creating_one_name_get_one_volume) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 30; ++i) {
        EXPECT_TRUE(volumes_->create("shared", "", {}, {}));
        auto removed = volumes_->remove("shared");
        EXPECT_TRUE(removed || removed.error().code() == Code::NotFound) << removed.error().message();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  reopen();
  EXPECT_THAT(names(), ElementsAre());
}

Result<oci::Mount> mount_of(const Map& options) {
  VolumeRecord record;
  record.mountpoint = "/v/_data";
  record.options = options;
  return volume_mount(record);
}

TEST(VolumeMount, plain_volume_is_a_bind_of_its_directory) {
  auto mount = mount_of({}).value();
  EXPECT_EQ(mount.type, "bind");
  EXPECT_EQ(mount.source, "/v/_data");
  EXPECT_THAT(mount.options, ElementsAre("rbind"));
}

TEST(VolumeMount, options_of_the_local_driver) {
  auto mount = mount_of({{"type", "none"}, {"o", "bind,ro"}, {"device", "/srv/x"}}).value();
  EXPECT_EQ(mount.type, "bind");
  EXPECT_EQ(mount.source, "/srv/x");
  EXPECT_THAT(mount.options, ElementsAre("bind", "ro"));
  mount = mount_of({{"type", "tmpfs"}, {"o", "size=100m,uid=1000,nosuid"}, {"device", "tmpfs"}}).value();
  EXPECT_EQ(mount.type, "tmpfs");
  EXPECT_THAT(mount.options, ElementsAre("size=100m", "uid=1000", "nosuid"));
}

TEST(VolumeMount, what_cannot_be_done_is_an_error) {
  const std::pair<Map, const char*> cases[] = {
      {{{"colour", "red"}}, "invalid option: \"colour\""},
      {{{"size", "1g"}}, "no quota support"},
      {{{"type", "tmpfs"}}, "missing device"},
      {{{"type", "nfs"}, {"o", "addr=10.0.0.1"}, {"device", ":/x"}}, "volume type \"nfs\" is not supported"},
      {{{"o", "bind"}, {"device", "relative"}}, "absolute path"},
      {{{"o", "bind,upperdir=/x"}, {"device", "/x"}}, "\"upperdir=/x\" is not supported"},
      {{{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size="}}, "\"size=\" is not supported"},
  };
  for (const auto& [options, message] : cases) {
    auto mount = mount_of(options);
    ASSERT_FALSE(mount) << message;
    EXPECT_EQ(mount.error().code(), Code::InvalidArgument);
    EXPECT_THAT(mount.error().message(), HasSubstr(message));
  }
}

TEST_F(VolumeTest, bad_options_leave_no_volume) {
  EXPECT_THAT(volumes_->create("data", "", {}, {{"x", "y"}}).error().message(),
              HasSubstr("create data: invalid option"));
  EXPECT_FALSE(sys::path_exists(root() + "/data"));
  EXPECT_TRUE(volumes_->create("data", "", {}, {{"type", "tmpfs"}, {"device", "tmpfs"}}));
  EXPECT_FALSE(has_own_files(volumes_->get("data").value()));
}

}  // namespace
}  // namespace sampan::volume
