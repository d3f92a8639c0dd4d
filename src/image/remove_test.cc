#include <gmock/gmock.h>

#include "image/internal/core.h"
#include "image/internal/test_support.h"

namespace sampan::image {
namespace {

using ::testing::ElementsAre;
using testing::Engine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::make_tar;
using testing::MemorySource;

oci::Reference ref(const std::string& text) {
  return *oci::parse_reference(text);
}

std::string import(Engine& engine, const std::string& name, const std::string& content) {
  MemorySource rootfs(make_tar({{"file", content}}));
  auto id = engine->import(rootfs, {}, "", ref(name), std::nullopt, {});
  EXPECT_TRUE(id) << id.error().message();
  return *id;
}

std::string on_top(Engine& engine, const std::string& parent, const std::string& content) {
  SnapshotKey key("w" + content);
  EXPECT_TRUE(engine.snapshots().create_writable(key, engine->get(parent)->top));
  EXPECT_TRUE(sys::replace_file(engine.snapshots().diff_dir(key) + "/more", content));
  auto id = engine->commit({.writable = key, .parent_id = parent, .consume = true});
  EXPECT_TRUE(id) << id.error().message();
  return *id;
}

std::vector<std::string> shown(const std::vector<RemovedImage>& removed) {
  std::vector<std::string> out;
  for (const auto& item : removed)
    out.push_back(item.untagged.empty() ? "Deleted: " + item.deleted : "Untagged: " + item.untagged);
  return out;
}

TEST(Remove, of_the_last_name_deletes_the_image_and_its_layers) {
  Engine engine;
  auto id = import(engine, "one", "1");
  auto chain = engine->get(id)->config.rootfs.diff_ids[0];
  auto removed = engine->remove("one", Force::No, true, {});
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_THAT(shown(*removed), ElementsAre("Untagged: one:latest", "Deleted: " + id, "Deleted: " + chain));
  EXPECT_THAT(engine.names_below("blobs/sha256"), IsEmpty());
  EXPECT_THAT(engine.names_below("snapshots"), IsEmpty());
  EXPECT_EQ(engine->get("one").error().message(), "No such image: one:latest");
}

TEST(Remove, of_one_name_of_two_only_untags) {
  Engine engine;
  auto id = import(engine, "one:a", "1");
  ASSERT_TRUE(engine->tag(id, ref("two:b")));
  EXPECT_THAT(shown(*engine->remove("one:a", Force::No, true, {})), ElementsAre("Untagged: one:a"));
  EXPECT_EQ(engine->get("two:b")->id, id);
}

TEST(Remove, by_id_of_an_image_in_two_repositories_must_be_forced) {
  Engine engine;
  auto id = import(engine, "one", "1");
  ASSERT_TRUE(engine->tag(id, ref("two")));
  auto refused = engine->remove(id.substr(7, 12), Force::No, true, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::Conflict);
  EXPECT_EQ(refused.error().message(), "conflict: unable to delete " + short_id(id) +
                                           " (must be forced) - image is referenced in multiple repositories");
  auto removed = engine->remove(id, Force::Yes, true, {});
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_EQ(shown(*removed).size(), 4u);
  EXPECT_THAT(*engine->list(), IsEmpty());
}

TEST(Remove, respects_containers_in_dockers_words) {
  Engine engine;
  auto id = import(engine, "one", "1");
  const std::string container(64, 'c');
  auto stopped = [&](const std::string&) { return std::vector<std::string>{container}; };
  auto running = [&](const std::string&) { return std::vector<std::string>{"running:" + container}; };
  EXPECT_EQ(engine->remove("one", Force::No, true, stopped).error().message(),
            "conflict: unable to remove repository reference \"one\" (must force) - container cccccccccccc is using "
            "its referenced image " +
                short_id(id));
  EXPECT_EQ(engine->remove(id, Force::No, true, stopped).error().message(),
            "conflict: unable to delete " + short_id(id) +
                " (must be forced) - image is being used by stopped container cccccccccccc");
  EXPECT_EQ(engine->remove(id, Force::Yes, true, running).error().message(),
            "conflict: unable to delete " + short_id(id) +
                " (cannot be forced) - image is being used by running container cccccccccccc");
  EXPECT_EQ(engine->get("one")->id, id);
  // Forced by name, a running container keeps the image and only loses its name.
  EXPECT_THAT(shown(*engine->remove("one", Force::Yes, true, running)), ElementsAre("Untagged: one:latest"));
  EXPECT_TRUE(engine->get(id));
}

TEST(Remove, takes_untagged_parents_along_but_not_with_noprune) {
  for (bool prune : {true, false}) {
    Engine engine;
    auto base = import(engine, "base", "1");
    auto middle = on_top(engine, base, "2");
    auto top = on_top(engine, middle, "3");
    auto refused = engine->remove(middle, Force::Yes, prune, {});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("(cannot be forced) - image has dependent child images"));
    ASSERT_TRUE(engine->remove(top, Force::No, prune, {}));
    EXPECT_EQ(engine->get(middle).has_value(), !prune);
    EXPECT_TRUE(engine->get("base"));
  }
}

TEST(Remove, leaves_layers_that_another_image_stands_on) {
  Engine engine;
  auto base = import(engine, "base", "1");
  auto child = on_top(engine, base, "2");
  ASSERT_TRUE(engine->tag(child, ref("child")));
  auto removed = engine->remove("child", Force::No, true, {});
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->size(), 3u);  // the name, the image, one layer
  EXPECT_EQ(engine.file_in_top(*engine->get("base"), "file"), "1");
}

TEST(Get, finds_by_prefix_and_tells_ambiguity) {
  Engine engine;
  std::map<char, int> first;
  std::vector<std::string> ids;
  for (int i = 0; i < 17; ++i) ids.push_back(import(engine, fmt::format("n{}", i), std::to_string(i)));
  for (const auto& id : ids) ++first[id[7]];
  for (const auto& id : ids) EXPECT_EQ(engine->get(id.substr(7, 12))->id, id);
  for (const auto& [digit, count] : first) {
    auto got = engine->get(std::string(1, digit));
    EXPECT_EQ(got.has_value(), count == 1);
    if (count > 1) EXPECT_EQ(got.error().code(), Code::InvalidArgument);
  }
  EXPECT_EQ(engine->get("sha256:" + std::string(64, '0')).error().code(), Code::NotFound);
}

TEST(Recover, removes_what_no_row_names_and_rows_without_a_snapshot) {
  Engine engine;
  auto id = import(engine, "one", "1");
  import(engine, "two", "2");
  ASSERT_TRUE(sys::replace_file(engine.root() + "/blobs/sha256/" + std::string(64, 'a'), "nobody's"));
  SnapshotKey orphan(std::string(64, 'b'));
  ASSERT_TRUE(engine.snapshots().prepare_layer(orphan));
  ASSERT_TRUE(engine.snapshots().commit_layer(orphan, std::nullopt, 1));
  ASSERT_TRUE(engine.snapshots().remove(*engine->get(id)->top));
  auto recovered = engine->recover();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_FALSE(engine->get("one"));
  EXPECT_TRUE(engine->get("two"));
  EXPECT_FALSE(engine.snapshots().exists(orphan));
  EXPECT_EQ(engine.names_below("blobs/sha256").size(), 1u);
}

}  // namespace
}  // namespace sampan::image
