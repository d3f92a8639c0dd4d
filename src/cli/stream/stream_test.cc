// Frames, detach keys, archives.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/stream/frames.h"
#include "cli/stream/session.h"
#include "cli/stream/tar.h"
#include "cli/stream/tar_extract.h"
#include "sys/file.h"

namespace sampan::cli {
namespace {

std::string frame(int stream, const std::string& payload) {
  std::string out{static_cast<char>(stream),        0, 0, 0, 0, 0, static_cast<char>(payload.size() >> 8),
                  static_cast<char>(payload.size())};
  return out + payload;
}

TEST(FrameDecoder, frames_may_be_cut_anywhere) {
  std::string wire = frame(1, "out") + frame(2, "err") + frame(1, "") + frame(1, std::string(300, 'x'));
  std::string out, err;
  FrameDecoder decoder;
  for (char c : wire) {
    ASSERT_TRUE(decoder.decode(std::string_view(&c, 1), [&](Output to, std::string_view bytes) -> Result<void> {
      (to == Output::Stderr ? err : out) += bytes;
      return {};
    }));
  }
  EXPECT_EQ(out, "out" + std::string(300, 'x'));
  EXPECT_EQ(err, "err");
  EXPECT_TRUE(decoder.at_boundary());
}

TEST(FrameDecoder, the_daemons_errors_and_unknown_streams_are_errors) {
  auto ignore = [](Output, std::string_view) -> Result<void> { return {}; };
  FrameDecoder decoder;
  auto error = decoder.decode(frame(3, "broken log"), ignore);
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().message(), "error from daemon in stream: broken log");
  FrameDecoder other;
  EXPECT_FALSE(other.decode(frame(9, "x"), ignore));
}

TEST(DetachKeys, are_control_codes_and_letters) {
  EXPECT_EQ(*parse_detach_keys("ctrl-p,ctrl-q"), "\x10\x11");
  EXPECT_EQ(*parse_detach_keys("a,ctrl-["), "a\x1b");
  EXPECT_FALSE(parse_detach_keys("ctrl-"));
  EXPECT_FALSE(parse_detach_keys("ab"));
}

class Tree : public testing::Test {
 protected:
  Tree() {
    char pattern[] = "/tmp/cli.test.XXXXXX";
    root = ::mkdtemp(pattern);
    EXPECT_TRUE(sys::make_dirs(root + "/src/dir"));
    EXPECT_TRUE(sys::make_dirs(root + "/dst"));
  }
  ~Tree() override { (void)sys::remove_tree(root); }
  void write(const std::string& path, const std::string& text) {
    EXPECT_TRUE(sys::replace_file(root + "/" + path, text, 0640));
  }
  std::string read(const std::string& path) { return sys::read_file(root + "/" + path).value_or("(none)"); }

  static std::string archive(std::vector<ArchiveItem> items) {
    ArchiveSource source(std::move(items), Owner::Keep);
    std::string out, buffer(700, '\0');
    while (true) {
      auto count = source.read(buffer);
      EXPECT_TRUE(count);
      if (!count || *count == 0) return out;
      out.append(buffer, 0, *count);
    }
  }
  Result<void> extract(const std::string& bytes, const ExtractOptions& options) {
    TarExtractor extractor(TRY(sys::open_dir(root + "/dst")), options);
    for (size_t at = 0; at < bytes.size(); at += 333) TRY(extractor.feed(std::string_view(bytes).substr(at, 333)));
    return extractor.finish();
  }
  std::string root;
};

TEST_F(Tree, what_is_written_is_read_back) {
  std::string long_name(150, 'n');
  write("src/dir/" + long_name, "long");
  write("src/a", std::string(1000, 'a'));
  write("src/empty", "");
  ASSERT_EQ(::symlink("a", (root + "/src/link").c_str()), 0);
  ASSERT_EQ(::link((root + "/src/a").c_str(), (root + "/src/hard").c_str()), 0);
  ASSERT_EQ(::chmod((root + "/src/dir").c_str(), 0555), 0);
  auto items = list_tree(root + "/src", "top");
  ASSERT_TRUE(items);
  ASSERT_TRUE(extract(archive(std::move(*items)), {.target = "copy"}));
  EXPECT_EQ(read("dst/copy/a"), std::string(1000, 'a'));
  EXPECT_EQ(read("dst/copy/dir/" + long_name), "long");
  EXPECT_EQ(read("dst/copy/empty"), "");
  EXPECT_EQ(sys::read_link(root + "/dst/copy/link").value_or(""), "a");
  struct stat a{}, hard{}, dir{};
  ::stat((root + "/dst/copy/a").c_str(), &a);
  ::stat((root + "/dst/copy/hard").c_str(), &hard);
  ::stat((root + "/dst/copy/dir").c_str(), &dir);
  EXPECT_EQ(a.st_ino, hard.st_ino);
  EXPECT_EQ(a.st_mode & 07777, 0640u);
  EXPECT_EQ(dir.st_mode & 07777, 0555u);
}

TEST_F(Tree, content_of_a_directory_goes_right_into_the_target) {
  write("src/a", "1");
  auto items = list_tree(root + "/src", ".");
  ASSERT_TRUE(extract(archive(std::move(*items)), {}));
  EXPECT_EQ(read("dst/a"), "1");
}

std::string entry(TarEntry::Type type, const std::string& name, const std::string& link = "",
                  const std::string& content = "") {
  TarEntry out;
  out.type = type;
  out.name = name;
  out.link = link;
  out.size = content.size();
  out.mode = 04777;
  return format_tar_header(out) + content + std::string((512 - content.size() % 512) % 512, '\0');
}

TEST_F(Tree, a_hostile_archive_stays_inside) {
  using enum TarEntry::Type;
  write("secret", "untouched");
  std::string escape =
      entry(Directory, "top/") + entry(Symlink, "top/l", root) + entry(File, "top/l/secret", "", "evil");
  EXPECT_FALSE(extract(escape, {.target = "x"}) && read("secret") != "untouched");
  EXPECT_EQ(read("secret"), "untouched");
  EXPECT_FALSE(extract(entry(Directory, "top/") + entry(File, "top/../../secret", "", "evil"), {.target = "y"}));
  EXPECT_EQ(read("secret"), "untouched");
  EXPECT_FALSE(extract(entry(Directory, "top/") + entry(File, "other", "", "evil"), {.target = "z"}));
  EXPECT_FALSE(sys::path_exists(root + "/dst/other"));
  EXPECT_FALSE(extract(entry(Directory, "top/") + entry(HardLink, "top/h", "../secret"), {.target = "w"}));
}

TEST_F(Tree, set_id_bits_and_devices_do_not_arrive) {
  using enum TarEntry::Type;
  ASSERT_TRUE(extract(entry(Directory, "top/") + entry(File, "top/suid", "", "x") + entry(BlockDevice, "top/disk"),
                      {.target = "t"}));
  struct stat info{};
  ASSERT_EQ(::stat((root + "/dst/t/suid").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07000, 0u);
  EXPECT_FALSE(sys::path_exists(root + "/dst/t/disk"));
}

TEST_F(Tree, broken_archives_are_errors) {
  EXPECT_FALSE(extract(std::string(512, 'x'), {}));
  std::string cut = entry(TarEntry::Type::File, "a", "", std::string(600, 'a')).substr(0, 900);
  EXPECT_FALSE(extract(cut, {.target = "a"}));
}

TEST_F(Tree, filters_leave_out_and_look_below) {
  write("src/a.md", "1");
  write("src/dir/b", "2");
  TreeFilter filter;
  filter.keep = [](const std::string& path) { return path == "dir/b"; };
  filter.enter = [](const std::string& path) { return path == "dir"; };
  auto items = list_tree(root + "/src", "", filter);
  ASSERT_TRUE(items);
  ASSERT_EQ(items->size(), 1u);
  EXPECT_EQ((*items)[0].name, "dir/b");
}

}  // namespace
}  // namespace sampan::cli
