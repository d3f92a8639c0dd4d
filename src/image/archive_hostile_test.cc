// Archives that attack: each must leave the canary beside the root as it was, and do inside what the table says.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "image/archive.h"
#include "image/internal/tar_builder_for_test.h"
#include "sys/file.h"
#include "sys/tree.h"

namespace sampan::image {
namespace {

using tar::RawMember;
using tar::StringSource;
using tar::TarBuilder;
using ::testing::HasSubstr;

/// A root directory with a canary file and directory beside it.
class Sandbox {
 public:
  Sandbox() {
    char name[] = "/tmp/sampan.image.XXXXXX";
    dir_ = ::mkdtemp(name);
    (void)sys::make_dirs(root(), 0755);
    (void)sys::make_dirs(dir_ + "/canary.d", 0711);
    (void)sys::replace_file(dir_ + "/canary", "alive", 0600);
    (void)sys::replace_file(dir_ + "/canary.d/file", "alive", 0600);
  }
  ~Sandbox() { (void)sys::remove_tree(dir_); }
  std::string root() const { return dir_ + "/root"; }
  std::string outside() const { return dir_; }

  Result<UnpackResult> unpack(const std::string& archive, UnpackOptions options = {.whiteouts = Whiteouts::ToOverlay}) {
    StringSource source(archive, 700);
    auto fd = sys::open_dir(root()).value();
    return unpack_tar(source, fd.get(), options, Cancel());
  }
  void expect_canary() {
    EXPECT_EQ(sys::read_file(dir_ + "/canary").value(), "alive");
    EXPECT_EQ(sys::read_file(dir_ + "/canary.d/file").value(), "alive");
    EXPECT_EQ(sys::list_dir(dir_).value(), (std::vector<std::string>{"canary", "canary.d", "root"}));
    EXPECT_EQ(sys::list_dir(dir_ + "/canary.d").value(), (std::vector<std::string>{"file"}));
    struct stat info;
    ASSERT_EQ(::lstat((dir_ + "/canary").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u);
    EXPECT_EQ(info.st_nlink, 1u);
    ASSERT_EQ(::lstat((dir_ + "/canary.d").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0711u);
    EXPECT_EQ(info.st_uid, 0u);
  }
  std::string kind(const std::string& path) {
    struct stat info;
    if (::lstat((root() + "/" + path).c_str(), &info) < 0) return "none";
    if (S_ISCHR(info.st_mode) && info.st_rdev == 0) return "whiteout";
    if (S_ISDIR(info.st_mode)) {
      auto fd = sys::open_dir(root() + "/" + path).value();
      return sys::read_xattr(fd.get(), "trusted.overlay.opaque").value() == "y" ? "opaque" : "dir";
    }
    if (S_ISLNK(info.st_mode)) return "link " + sys::read_link(root() + "/" + path).value();
    if (S_ISREG(info.st_mode)) return "file " + sys::read_file(root() + "/" + path).value();
    return "other";
  }

 private:
  std::string dir_;
};

struct Case {
  const char* name;
  std::string archive;
  const char* error;  // part of the message; nullptr: it is unpacked
  std::vector<std::pair<std::string, std::string>> inside;
};

void run(const std::vector<Case>& cases, UnpackOptions options = {.whiteouts = Whiteouts::ToOverlay}) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Sandbox box;
    auto result = box.unpack(c.archive, options);
    if (c.error) {
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().code(), Code::InvalidArgument);
      EXPECT_THAT(result.error().message(), HasSubstr(c.error));
    } else {
      EXPECT_TRUE(result) << result.error().message();
    }
    for (const auto& [path, kind] : c.inside) EXPECT_EQ(box.kind(path), kind) << path;
    box.expect_canary();
  }
}

TEST(HostileArchive, names_and_links_that_lead_outside_stay_inside) {
  run({
      {"absolute name", TarBuilder().file("/canary", "evil").end(), nullptr, {{"canary", "file evil"}}},
      {"dot dot", TarBuilder().file("../canary", "evil").end(), nullptr, {{"canary", "file evil"}}},
      {"dot dot inside",
       TarBuilder().file("a/../../../canary.d/file", "evil").end(),
       nullptr,
       {{"canary.d/file", "file evil"}}},
      {"dot dot from PAX",
       TarBuilder().pax({{"path", "../../canary"}}).file("x", "evil").end(),
       nullptr,
       {{"canary", "file evil"}}},
      {"GNU long name",
       TarBuilder()
           .add({.name = "././@LongLink", .type = 'L', .content = std::string("../canary\0", 10)})
           .file("x", "evil")
           .end(),
       nullptr,
       {{"canary", "file evil"}}},
      {"relative link, then through it",
       TarBuilder().symlink("out", "..").file("out/canary", "evil").end(),
       nullptr,
       {{"canary", "file evil"}, {"out", "link .."}}},
      {"absolute link, then through it",
       TarBuilder().symlink("out", "/").file("out/canary", "evil").end(),
       nullptr,
       {{"canary", "file evil"}}},
      {"dangling absolute link as parent",
       TarBuilder().symlink("out", "/var/run").file("out/x", "in").end(),
       nullptr,
       {{"var/run/x", "file in"}}},
      {"chain of links",
       TarBuilder().symlink("a", "b/..").symlink("b", "/../..").dir("c").file("b/canary", "evil").end(),
       nullptr,
       {{"canary", "file evil"}}},
      {"link loop as parent", TarBuilder().symlink("a", "b").symlink("b", "a").file("a/x").end(), "a/x", {}},
      {"file over a link does not follow",
       TarBuilder().symlink("f", "../canary").file("f", "evil").end(),
       nullptr,
       {{"f", "file evil"}}},
      {"directory over a link does not follow",
       TarBuilder().symlink("d", "../canary.d").dir("d", 0777).file("d/file", "evil").end(),
       nullptr,
       {{"d", "dir"}, {"d/file", "file evil"}}},
      {"directory metadata with a slash does not follow",
       TarBuilder().symlink("d", "../canary.d").add({.name = "d/", .type = '5', .mode = 0777, .uid = 5}).end(),
       nullptr,
       {{"d", "dir"}}},
      {"link replaced by directory after use",
       TarBuilder().dir("t").symlink("s", "t").file("s/1", "a").dir("s").file("s/2", "b").end(),
       nullptr,
       {{"t/1", "file a"}, {"s/2", "file b"}}},
      {"magic link as parent",
       TarBuilder().symlink("m", "/proc/self/root").file("m/canary", "in").end(),
       nullptr,
       {{"proc/self/root/canary", "file in"}}},
  });
}

TEST(HostileArchive, hard_links_stay_inside) {
  run({
      {"relative target outside", TarBuilder().link("l", "../canary").end(), "does not exist", {{"l", "none"}}},
      {"absolute target is below the root",
       TarBuilder().file("etc/x", "in").link("l", "/etc/x").end(),
       nullptr,
       {{"l", "file in"}}},
      {"target through a link outside",
       TarBuilder().symlink("o", "..").link("l", "o/canary").end(),
       "does not exist",
       {{"l", "none"}}},
      {"to a link, then written",
       TarBuilder().symlink("s", "../canary").link("l", "s").file("l", "evil").end(),
       nullptr,
       {{"l", "file evil"}, {"s", "link ../canary"}}},
      {"to a link stays the link",
       TarBuilder().symlink("s", "../canary").link("l", "s").end(),
       nullptr,
       {{"l", "link ../canary"}}},
      {"to a directory", TarBuilder().dir("d").link("l", "d").end(), "hard link to the directory", {}},
      {"to itself", TarBuilder().file("f", "x").link("f", "f").end(), nullptr, {{"f", "file x"}}},
      {"to the root", TarBuilder().link("l", "/").end(), "hard link to the root", {}},
      {"over the directory that holds its target",
       TarBuilder().file("d/f", "x").link("d", "d/f").end(),
       "does not exist",
       {}},
      {"target replaced later",
       TarBuilder().file("f", "old").link("l", "f").file("f", "new").end(),
       nullptr,
       {{"l", "file old"}, {"f", "file new"}}},
  });
}

TEST(HostileArchive, whiteouts_reach_only_siblings) {
  run({
      {"empty name", TarBuilder().file(".wh.").end(), "invalid whiteout", {}},
      {"of the directory itself", TarBuilder().file("a/.wh..").end(), "invalid whiteout", {}},
      {"of the parent", TarBuilder().file("a/.wh...").end(), "invalid whiteout", {}},
      {"nested", TarBuilder().file(".wh..wh.x").end(), "invalid whiteout", {}},
      {"content below", TarBuilder().file(".wh.a/b").end(), "below a whiteout", {}},
      {"name of a directory below .wh.", TarBuilder().file(".wh./x").end(), "below a whiteout", {}},
      {"root by dot dot", TarBuilder().file("../.wh.canary").end(), nullptr, {{"canary", "whiteout"}}},
      {"through a link", TarBuilder().symlink("o", "..").file("o/.wh.canary").end(), nullptr, {{"canary", "whiteout"}}},
      {"opaque through a link",
       TarBuilder().symlink("o", "/../canary.d").file("o/.wh..wh..opq").end(),
       nullptr,
       {{"canary.d", "opaque"}}},
      {"plain", TarBuilder().file("d/.wh.x").end(), nullptr, {{"d/x", "whiteout"}}},
      {"opaque keeps this layer's",
       TarBuilder().file("d/x", "in").file("d/.wh..wh..opq").file("d/y", "in").end(),
       nullptr,
       {{"d", "opaque"}, {"d/x", "file in"}, {"d/y", "file in"}}},
      {"whiteout and content, either order",
       TarBuilder().file(".wh.a").file("a/x", "in").file("b/x", "in").file(".wh.b").end(),
       nullptr,
       {{"a", "opaque"}, {"a/x", "file in"}, {"b", "opaque"}, {"b/x", "file in"}}},
      {"whiteout then directory entry", TarBuilder().file(".wh.a").dir("a").end(), nullptr, {{"a", "opaque"}}},
      {"whiteout and file, either order",
       TarBuilder().file(".wh.a").file("a", "in").file("b", "in").file(".wh.b").end(),
       nullptr,
       {{"a", "file in"}, {"b", "file in"}}},
      {"hard link to a whiteout", TarBuilder().file(".wh.a").link("b", "a").end(), "does not exist", {{"b", "none"}}},
      {"AUFS's own files",
       TarBuilder().dir(".wh..wh.plnk").file(".wh..wh.plnk/1.2").file(".wh..wh.aufs").end(),
       nullptr,
       {{".wh..wh.plnk", "none"}}},
  });
}

TEST(HostileArchive, duplicates_and_confused_types_let_the_last_win) {
  run({
      {"file twice", TarBuilder().file("f", "longer text").file("f", "b").end(), nullptr, {{"f", "file b"}}},
      {"directory then file", TarBuilder().dir("x").file("x/y").file("x", "b").end(), nullptr, {{"x", "file b"}}},
      {"file then directory",
       TarBuilder().file("x", "a").dir("x").file("x/y", "b").end(),
       nullptr,
       {{"x", "dir"}, {"x/y", "file b"}}},
      {"directory again keeps content",
       TarBuilder().dir("x").file("x/y", "a").dir("x", 0700).end(),
       nullptr,
       {{"x/y", "file a"}}},
      {"content below a file",
       TarBuilder().file("x", "a").file("x/y", "b").end(),
       "Not a directory",
       {{"x", "file a"}}},
      {"file as root", TarBuilder().file("./").end(), "root can only be a directory", {}},
      {"link as root",
       TarBuilder().symlink("/", "../canary.d").file("file", "evil").end(),
       "root can only be a directory",
       {}},
      {"fifo then file", TarBuilder().add({.name = "p", .type = '6'}).file("p", "a").end(), nullptr, {{"p", "file a"}}},
  });
}

TEST(HostileArchive, devices_and_overlay_xattrs_are_not_honoured) {
  run({
      {"whiteout device", TarBuilder().device("w", '3', 0, 0).end(), nullptr, {{"w", "none"}}},
      {"whiteout device linked", TarBuilder().device("w", '3', 0, 0).link("l", "w").end(), "does not exist", {}},
      {"major too large", TarBuilder().device("d", '3', 4096, 0).end(), "out of range", {}},
      {"negative major",
       TarBuilder().add({.name = "d", .type = '4', .major_field = std::string(8, '\xff')}).end(),
       "out of range",
       {}},
      {"opaque xattr",
       TarBuilder().pax({{"SCHILY.xattr.trusted.overlay.opaque", "y"}}).dir("d").end(),
       nullptr,
       {{"d", "dir"}}},
  });
  Sandbox box;
  ASSERT_TRUE(box.unpack(TarBuilder()
                             .pax({{"SCHILY.xattr.trusted.overlay.redirect", "/etc"},
                                   {"SCHILY.xattr.user.overlay.opaque", "y"},
                                   {"SCHILY.xattr.security.selinux", "x"},
                                   {"SCHILY.xattr.user.kept", "yes"}})
                             .file("f")
                             .end()));
  auto fd = sys::open_file(box.root() + "/f", O_RDONLY).value();
  EXPECT_EQ(sys::read_xattr(fd.get(), "trusted.overlay.redirect").value(), "");
  EXPECT_EQ(sys::read_xattr(fd.get(), "user.overlay.opaque").value(), "");
  EXPECT_EQ(sys::read_xattr(fd.get(), "security.selinux").value(), "");
  EXPECT_EQ(sys::read_xattr(fd.get(), "user.kept").value(), "yes");
}

TEST(HostileArchive, broken_headers_are_errors_with_a_name) {
  std::string negative(12, '\xff');
  std::string bad_sum = TarBuilder().file("f").end();
  bad_sum[0] = 'g';
  run({
      {"garbage", std::string(2048, 'g'), "checksum", {}},
      {"checksum", bad_sum, "checksum", {}},
      {"negative size", TarBuilder().add({.name = "f", .size_field = negative}).end(), "negative", {}},
      {"size of 2^62",
       TarBuilder().add({.name = "f", .size_field = std::string("\x80\0\0\0\x40\0\0\0\0\0\0\0", 12)}).end(),
       "cut off",
       {}},
      {"size over 64 bits",
       TarBuilder().add({.name = "f", .size_field = std::string("\x80\x01\0\0\x40\0\0\0\0\0\0\0", 12)}).end(),
       "out of range",
       {}},
      {"size not octal", TarBuilder().add({.name = "f", .size_field = "00000000009"}).end(), "octal", {}},
      {"uid -1", TarBuilder().add({.name = "f", .uid_field = std::string(8, '\xff')}).end(), "uid", {{"f", "none"}}},
      {"uid over 32 bits", TarBuilder().pax({{"uid", "4294967296"}}).file("f").end(), "uid", {{"f", "none"}}},
      {"uid 2^32-1", TarBuilder().pax({{"uid", "4294967295"}}).file("f").end(), "uid", {}},
      {"header cut off", TarBuilder().file("f").cut(700), "cut off", {}},
      {"content cut off", TarBuilder().file("f", std::string(5000, 'x')).cut(3000), "cut off", {}},
      {"PAX header cut off", TarBuilder().pax({{"path", std::string(2000, 'x')}}).cut(600), "cut off", {}},
      {"PAX header without a member", TarBuilder().pax({{"path", "x"}}).end(), "cut off", {}},
      {"PAX header too large",
       TarBuilder().add({.name = "p", .type = 'x', .size_field = "00100000000"}).end(),
       "extended tar header",
       {}},
      {"long name too large",
       TarBuilder().add({.name = "p", .type = 'L', .size_field = "77777777777"}).end(),
       "extended tar header",
       {}},
      {"PAX length lies",
       TarBuilder().add({.name = "p", .type = 'x', .content = "99 path=x\n"}).file("f").end(),
       "PAX",
       {}},
      {"PAX negative size", TarBuilder().pax({{"size", "-5"}}).file("f").end(), "PAX", {}},
      {"NUL in a PAX path", TarBuilder().pax({{"path", std::string("a\0b", 3)}}).file("f").end(), "NUL", {}},
      {"name part too long", TarBuilder().pax({{"path", std::string(256, 'n')}}).file("f").end(), "256 bytes", {}},
      {"path too long", TarBuilder().pax({{"path", std::string(4097, '/')}}).file("f").end(), "4097 bytes", {}},
      {"too deep",
       TarBuilder()
           .pax({{"path",
                  [] {
                    std::string s;
                    for (int i = 0; i < 513; ++i) s += "d/";
                    return s;
                  }()}})
           .dir("f")
           .end(),
       "deep",
       {}},
      {"symlink without target", TarBuilder().symlink("s", "").end(), "symbolic link", {}},
      {"unknown type", TarBuilder().add({.name = "f", .type = 'Z'}).end(), "unhandled tar header type 90", {}},
      {"data after an empty block",
       TarBuilder().file("a").raw(std::string(512, '\0')).file("b").end(),
       "empty block",
       {{"a", "file x"}}},
      {"sparse map outside the file",
       TarBuilder().pax({{"GNU.sparse.map", "900,1"}, {"GNU.sparse.size", "10"}}).file("f").end(),
       "sparse",
       {}},
      {"sparse map larger than stored",
       TarBuilder().pax({{"GNU.sparse.map", "0,9"}, {"GNU.sparse.size", "10"}}).file("f").end(),
       "sparse",
       {}},
      {"sparse map in data without end",
       TarBuilder()
           .pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.realsize", "10"}})
           .file("f", std::string(512, '9'))
           .end(),
       "sparse",
       {}},
      {"xattr without name", TarBuilder().pax({{"SCHILY.xattr.", "x"}}).file("f").end(), "extended attribute", {}},
  });
}

TEST(HostileArchive, budget_stops_a_bomb_before_it_is_written) {
  Sandbox box;
  auto bomb = TarBuilder()
                  .file("a", std::string(600, 'x'))
                  .pax({{"GNU.sparse.map", "0,1"}, {"GNU.sparse.size", "9000000000000"}})
                  .file("s")
                  .end();
  auto result = box.unpack(bomb, {.max_bytes = 1000});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::ResourceExhausted);
  EXPECT_THAT(result.error().message(), HasSubstr("unpack \"s\""));
  EXPECT_EQ(box.kind("s"), "none");
}

TEST(HostileArchive, destination_confines_names_but_links_resolve_from_the_root) {
  Sandbox box;
  ASSERT_TRUE(box.unpack(TarBuilder().dir("dst/in").symlink("dst/abs", "/other").dir("other").end()));
  UnpackOptions options;
  options.destination = "/dst";
  ASSERT_TRUE(box.unpack(
      TarBuilder().file("../../up", "1").file("abs/f", "2").file("/in/g", "3").link("h", "/in/g").end(), options));
  EXPECT_EQ(box.kind("dst/up"), "file 1");
  EXPECT_EQ(box.kind("other/f"), "file 2");
  EXPECT_EQ(box.kind("dst/in/g"), "file 3");
  EXPECT_EQ(box.kind("dst/h"), "file 3");
  box.expect_canary();
}

TEST(HostileArchive, no_overwrite_refuses_to_change_between_directory_and_file) {
  Sandbox box;
  ASSERT_TRUE(box.unpack(TarBuilder().dir("d").file("f", "old").end()));
  UnpackOptions options;
  options.no_overwrite_dir_non_dir = true;
  auto over_dir = box.unpack(TarBuilder().file("d", "x").end(), options);
  EXPECT_THAT(over_dir.error().message(), HasSubstr("cannot overwrite directory \"/d\" with non-directory \"d\""));
  auto over_file = box.unpack(TarBuilder().dir("f").end(), options);
  EXPECT_THAT(over_file.error().message(), HasSubstr("cannot overwrite non-directory \"/f\" with directory \"f\""));
  EXPECT_TRUE(box.unpack(TarBuilder().file("f", "new").dir("d").end(), options));
  EXPECT_EQ(box.kind("f"), "file new");
}

// Every sequence of three out of these members, in every order: nothing may leave the root.
TEST(HostileArchive, no_order_of_links_and_files_escapes) {
  const std::vector<RawMember> members = {
      {.name = "a", .type = '2', .link = "../canary.d"},
      {.name = "a", .type = '2', .link = ".."},
      {.name = "a", .type = '5', .mode = 0777},
      {.name = "a/file", .content = "evil"},
      {.name = "a", .type = '1', .link = "a/file"},
      {.name = "a/canary", .type = '1', .link = "b"},
      {.name = "b", .type = '2', .link = "a/canary"},
      {.name = "b", .content = "evil"},
      {.name = "a/.wh.file"},
      {.name = "a/.wh..wh..opq"},
  };
  for (const auto& first : members) {
    for (const auto& second : members) {
      Sandbox box;
      auto dir = sys::open_dir(box.root()).value();
      for (const auto& third : members) {
        (void)box.unpack(TarBuilder().add(first).add(second).add(third).end());  // an error is as good as success here
        for (const auto& name : sys::list_dir(box.root()).value()) ASSERT_TRUE(sys::remove_tree_at(dir.get(), name));
      }
      box.expect_canary();
    }
  }
}

}  // namespace
}  // namespace sampan::image
