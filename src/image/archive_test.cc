#include "image/archive.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "image/internal/tar_builder_for_test.h"
#include "image/internal/tar_reader.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/shell_for_test.h"
#include "sys/tree.h"

namespace sampan::image {
namespace {

using tar::StringSink;
using tar::StringSource;
using tar::TarBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ArchiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sampan.image.XXXXXX";
    dir_ = ::mkdtemp(name);
    ASSERT_TRUE(sys::make_dirs(dir_ + "/root", 0755));
    root_ = sys::open_dir(dir_ + "/root").value();
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }

  void unpack(const std::string& archive, UnpackOptions options = {.whiteouts = Whiteouts::ToOverlay}) {
    StringSource source(archive);
    auto result = unpack_tar(source, root_.get(), options, Cancel());
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_TRUE(source.at_end());
  }
  std::string pack(const std::string& path = "", const PackOptions& options = {}, int root = -1) {
    StringSink sink;
    auto result = pack_tar(root < 0 ? root_.get() : root, path, sink, options, Cancel());
    EXPECT_TRUE(result) << result.error().message();
    return sink.text;
  }
  static std::vector<std::string> names(const std::string& archive) {
    StringSource source(archive);
    tar::Reader reader(source);
    tar::Entry entry;
    std::vector<std::string> out;
    for (;;) {
      auto more = reader.next(entry);
      EXPECT_TRUE(more) << more.error().message();
      if (!more || !*more) return out;
      out.push_back(entry.name);
    }
  }
  struct stat stat(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(::lstat((dir_ + "/root/" + path).c_str(), &info), 0) << path;
    return info;
  }
  std::string path(const std::string& name) { return dir_ + "/root/" + name; }
  void shell(const std::string& command) {
    ASSERT_EQ(sys::run_shell_for_test(("cd " + dir_ + "/root && " + command).c_str()), 0) << command;
  }

  std::string dir_;
  sys::DirFd root_;
};

TEST_F(ArchiveTest, metadata_is_what_the_header_says) {
  unpack(TarBuilder()
             .add({.name = "d/", .type = '5', .mode = 01777, .uid = 3, .gid = 4, .mtime = 1111})
             .add({.name = "d/su", .content = "x", .mode = 06755, .uid = 5, .gid = 6, .mtime = 2222})
             .add({.name = "l", .type = '2', .link = "nowhere", .uid = 7, .gid = 8, .mtime = 3333})
             .add({.name = "p", .type = '6', .mode = 0620, .uid = 9, .gid = 10, .mtime = 4444})
             .add({.name = "c", .type = '3', .mode = 0666, .mtime = 5555, .major = 1, .minor = 3})
             .pax({{"mtime", "1700000000.123456789"}, {"uid", "3000000000"}})
             .add({.name = "n"})
             .end());
  auto d = stat("d");
  EXPECT_EQ(d.st_mode, S_IFDIR | 01777u);
  EXPECT_EQ(d.st_uid, 3u);
  EXPECT_EQ(d.st_mtime, 1111) << "although a file was made in it later";
  auto su = stat("d/su");
  EXPECT_EQ(su.st_mode, S_IFREG | 06755u);
  EXPECT_EQ(su.st_uid, 5u);
  EXPECT_EQ(su.st_mtime, 2222);
  EXPECT_EQ(stat("l").st_gid, 8u);
  EXPECT_EQ(stat("l").st_mtime, 3333);
  EXPECT_EQ(stat("p").st_mode, S_IFIFO | 0620u);
  EXPECT_EQ(stat("p").st_mtime, 4444);
  EXPECT_EQ(stat("c").st_mode, S_IFCHR | 0666u);
  EXPECT_EQ(stat("c").st_rdev, makedev(1, 3));
  EXPECT_EQ(stat("n").st_mtim.tv_nsec, 123456789);
  EXPECT_EQ(stat("n").st_uid, 3000000000u);
}

TEST_F(ArchiveTest, missing_parents_are_0755_whatever_the_umask) {
  mode_t old = ::umask(0077);
  unpack(TarBuilder().add({.name = "a/b/c", .uid = 5}).end());
  ::umask(old);
  EXPECT_EQ(stat("a/b").st_mode, S_IFDIR | 0755u);
  EXPECT_EQ(stat("a/b").st_uid, 0u);
}

TEST_F(ArchiveTest, layer_root_entry_sets_the_root_and_a_copy_does_not) {
  auto archive = TarBuilder().add({.name = "./", .type = '5', .mode = 0700, .uid = 4, .mtime = 1234}).file("./x").end();
  unpack(archive, {});
  EXPECT_EQ(stat("").st_mode, S_IFDIR | 0755u);
  unpack(archive);
  EXPECT_EQ(stat("").st_mode, S_IFDIR | 0700u);
  EXPECT_EQ(stat("").st_uid, 4u);
  EXPECT_EQ(stat("").st_mtime, 1234);
}

TEST_F(ArchiveTest, file_capabilities_survive_the_chown) {
  std::string capability("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  unpack(TarBuilder()
             .pax({{"SCHILY.xattr.security.capability", capability}})
             .add({.name = "ping", .content = "x", .mode = 0755, .uid = 7})
             .end());
  auto fd = sys::open_file(path("ping"), O_RDONLY).value();
  EXPECT_EQ(sys::read_xattr(fd.get(), "security.capability").value(), capability);
  EXPECT_EQ(pack(), pack());
  EXPECT_THAT(pack(), HasSubstr("SCHILY.xattr.security.capability="));
}

TEST_F(ArchiveTest, whiteouts_become_overlays_and_come_back) {
  auto archive = TarBuilder()
                     .add({.name = ".wh.gone", .mode = 0600})
                     .dir("d")
                     .add({.name = "d/.wh..wh..opq", .mode = 0755})
                     .add({.name = "d/.wh.x", .mode = 0600})
                     .end();
  unpack(archive);
  EXPECT_EQ(stat("gone").st_rdev, 0u);
  EXPECT_TRUE(S_ISCHR(stat("d/x").st_mode));
  EXPECT_THAT(names(pack("", {.whiteouts = Whiteouts::ToOverlay})),
              ElementsAre("d/", "d/.wh..wh..opq", "d/.wh.x", ".wh.gone"));
}

TEST_F(ArchiveTest, whiteouts_that_share_an_inode_are_not_hard_links) {
  ASSERT_EQ(::mknodat(root_.get(), "a", S_IFCHR, 0), 0);
  ASSERT_EQ(::linkat(root_.get(), "a", root_.get(), "b", 0), 0);
  EXPECT_THAT(names(pack("", {.whiteouts = Whiteouts::ToOverlay})), ElementsAre(".wh.a", ".wh.b"));
}

TEST_F(ArchiveTest, without_a_layer_whiteout_names_are_names) {
  unpack(TarBuilder().file(".wh.x", "1").file("d/.wh..wh..opq", "2").end(), {});
  EXPECT_EQ(sys::read_file(path(".wh.x")).value(), "1");
  EXPECT_EQ(sys::read_file(path("d/.wh..wh..opq")).value(), "2");
}

TEST_F(ArchiveTest, unpacked_and_packed_again_gives_the_same_bytes) {
  std::string deep;
  for (int i = 0; i < 30; ++i) deep += "directory-" + std::to_string(i) + "/";
  shell(
      "mkdir -p " + deep + " etc sub; echo hi > " + deep + "file; ln " + deep +
      "file etc/hard; ln -s ../x etc/soft; "
      "mkfifo fifo; mknod dev c 1 3; head -c 300000 /dev/urandom > big; touch -d '1999-01-01 UTC' etc; chmod 4711 big; "
      "chown 70000:3000000 etc/hard; touch $(printf 'n%.0s' $(seq 150)); ln -s $(printf 't%.0s' $(seq 300)) longlink; "
      "touch 'b\xff'");
  std::string first = pack();
  EXPECT_EQ(first, pack());
  std::string copy = dir_ + "/copy";
  ASSERT_TRUE(sys::make_dirs(copy, 0755));
  auto copy_fd = sys::open_dir(copy).value();
  StringSource source(first, 1000);
  auto unpacked = unpack_tar(source, copy_fd.get(), {}, Cancel());
  ASSERT_TRUE(unpacked) << unpacked.error().message();
  EXPECT_EQ(pack("", {}, copy_fd.get()), first);
  EXPECT_EQ(stat("etc/hard").st_ino, stat(deep + "file").st_ino);
}

TEST_F(ArchiveTest, names_follow_the_spelling_of_the_path) {
  shell("mkdir -p a/etc; echo 1 > a/etc/passwd; ln -s etc a/link; ln -s /a/etc/passwd a/abs");
  EXPECT_THAT(names(pack("a/etc")), ElementsAre("etc/", "etc/passwd"));
  EXPECT_THAT(names(pack("/a/etc/passwd")), ElementsAre("passwd"));
  EXPECT_THAT(names(pack("/a/etc/.")), ElementsAre("./", "./passwd"));
  EXPECT_THAT(names(pack("/a/link")), ElementsAre("link"));
  EXPECT_THAT(names(pack("/a/link/.")), ElementsAre("./", "./passwd"));
  EXPECT_THAT(names(pack("/a/link/")), ElementsAre("link/", "link/passwd"));
  EXPECT_THAT(names(pack("/a/link", {.follow_top_link = true})), ElementsAre("link/", "link/passwd"));
  EXPECT_THAT(names(pack("/a/abs", {.rename_root = "x", .follow_top_link = true})), ElementsAre("x"));
  EXPECT_THAT(names(pack("a/etc", {.rename_root = "new"})), ElementsAre("new/", "new/passwd"));
  EXPECT_THAT(names(pack("/")), ElementsAre("./", "./a/", "./a/abs", "./a/etc/", "./a/etc/passwd", "./a/link"));
  EXPECT_THAT(names(pack("")), ElementsAre("a/", "a/abs", "a/etc/", "a/etc/passwd", "a/link"));
  StringSink sink;
  EXPECT_EQ(pack_tar(root_.get(), "a/nothing", sink, {}, Cancel()).error().code(), Code::NotFound);
  EXPECT_FALSE(pack_tar(root_.get(), "a/etc/passwd/", sink, {}, Cancel()));
  EXPECT_FALSE(pack_tar(root_.get(), "../../..", sink, {}, Cancel()));
}

TEST_F(ArchiveTest, excluded_directories_and_sockets_are_left_out) {
  shell("mkdir -p keep drop/below; touch keep/a keep/b.log drop/below/c");
  sockaddr_un address{.sun_family = AF_UNIX};
  std::strncpy(address.sun_path, path("keep/socket").c_str(), sizeof address.sun_path - 1);
  sys::Fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  std::vector<std::string> asked;
  PackOptions options;
  options.exclude = [&](const std::string& name) {
    asked.push_back(name);
    return name == "drop" || name.ends_with(".log");
  };
  EXPECT_THAT(names(pack("", options)), ElementsAre("keep/", "keep/a"));
  EXPECT_THAT(asked, ElementsAre("drop", "keep", "keep/a", "keep/b.log", "keep/socket"));
}

TEST_F(ArchiveTest, what_gnu_tar_writes_is_read_and_the_other_way_round) {
  if (sys::run_shell_for_test("tar --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no tar";
  std::string long_name(180, 'n');
  shell("mkdir d && echo text > d/" + long_name + " && ln -s " + std::string(200, 't') +
        " s && truncate -s 3M sparse && "
        "echo tail >> sparse && printf mid | dd of=sparse bs=1 seek=1000000 conv=notrunc 2>/dev/null");
  for (const char* format : {"gnu", "posix", "posix --sparse-version=0.0", "posix --sparse-version=0.1"}) {
    SCOPED_TRACE(format);
    std::string copy = dir_ + "/copy";
    shell(std::string("tar -S --format=") + format + " -cf ../x.tar d s sparse");
    ASSERT_TRUE(sys::make_dirs(copy, 0755));
    auto copy_fd = sys::open_dir(copy).value();
    StringSource source(sys::read_file(dir_ + "/x.tar").value(), 3000);
    auto unpacked = unpack_tar(source, copy_fd.get(), {}, Cancel());
    ASSERT_TRUE(unpacked) << unpacked.error().message();
    shell("diff -r --no-dereference . ../copy");
    struct stat info;
    ASSERT_EQ(::stat((copy + "/sparse").c_str(), &info), 0);
    EXPECT_LT(info.st_blocks, 1000) << "holes stay holes";
    ASSERT_TRUE(sys::remove_tree(copy));
  }
  ASSERT_TRUE(sys::replace_file(dir_ + "/ours.tar", pack()));
  shell("mkdir ../back && tar -C ../back -xf ../ours.tar && diff -r --no-dereference . ../back");
}

TEST_F(ArchiveTest, full_disk_names_the_entry) {
  auto fs = sys::open_fs("tmpfs").value();
  ASSERT_TRUE(sys::set_fs_string(fs, "size", "65536"));
  auto small = sys::make_fs_mount(fs, 0).value();  // detached: nobody else sees it
  StringSource source(TarBuilder().file("fits").file("big", std::string(200000, 'x')).end());
  auto result = unpack_tar(source, small.get(), {}, Cancel());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::ResourceExhausted);
  EXPECT_THAT(result.error().message(), HasSubstr("unpack \"big\": write: No space left on device"));
}

TEST_F(ArchiveTest, cancel_stops_both_directions) {
  Cancel cancel;
  cancel.cancel();
  StringSource source(TarBuilder().file("a").end());
  EXPECT_EQ(unpack_tar(source, root_.get(), {}, cancel).error().code(), Code::Cancelled);
  shell("touch a");
  StringSink sink;
  EXPECT_EQ(pack_tar(root_.get(), "", sink, {}, cancel).error().code(), Code::Cancelled);
}

TEST_F(ArchiveTest, malformed_archives_leak_no_descriptor) {
  auto open_fds = [] { return sys::list_dir("/proc/self/fd").value().size(); };
  size_t before = open_fds();
  std::string whole = TarBuilder().dir("a/b").file("a/b/c", std::string(3000, 'x')).symlink("s", "a").file("s/d").end();
  for (size_t cut = 0; cut < whole.size(); cut += 97) {
    StringSource source(whole.substr(0, cut));
    (void)unpack_tar(source, root_.get(), {}, Cancel());  // most of them fail
  }
  EXPECT_EQ(open_fds(), before);
}

}  // namespace
}  // namespace sampan::image
