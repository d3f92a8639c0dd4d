// load, save, import, commit.

#include <gmock/gmock.h>

#include "image/internal/bundle_writer.h"
#include "image/internal/test_support.h"

namespace sampan::image {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::Engine;
using testing::Files;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Lines;
using testing::make_tar;
using testing::MemorySink;
using testing::MemorySource;

const Cancel kNever;

struct Simple {
  std::string layer = make_tar({{"bin/tool", "tool"}});
  std::string config = config_of(layer);
  static std::string config_of(const std::string& layer) {
    oci::Image image{.created = "2024-01-02T03:04:05Z", .architecture = "amd64", .os = "linux"};
    image.rootfs.diff_ids = {oci::Digest::of_bytes(layer).str()};
    return oci::format_image(image);
  }
  std::string id() const { return oci::Digest::of_bytes(config).str(); }
};

Result<std::vector<std::string>> load(Engine& engine, const std::string& archive, Lines* lines = nullptr) {
  MemorySource source(archive);
  return engine->load(source, lines ? lines->sink() : ProgressSink(), kNever);
}

void expect_nothing_left(Engine& engine) {
  EXPECT_THAT(*engine->list(), IsEmpty());
  EXPECT_THAT(engine.names_below("tmp"), IsEmpty());
  EXPECT_THAT(engine.names_below("blobs/sha256"), IsEmpty());
  if (sys::path_exists(engine.root() + "/snapshots")) EXPECT_THAT(engine.names_below("snapshots"), IsEmpty());
}

TEST(Load, of_a_docker_archive_with_old_layer_names) {
  Engine engine;
  Simple made;
  Lines lines;
  auto loaded = load(
      engine,
      testing::gzip(
          make_tar({{"abc.json", made.config},
                    {"abc/layer.tar", made.layer},
                    {"manifest.json", R"([{"Config":"abc.json","RepoTags":["tool:1"],"Layers":["abc/layer.tar"]}])"}})),
      &lines);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_THAT(*loaded, ElementsAre("tool:1"));
  auto image = engine->get("tool:1");
  ASSERT_TRUE(image) << image.error().message();
  EXPECT_EQ(image->id, made.id());
  EXPECT_EQ(engine.file_in_top(*image, "bin/tool"), "tool");
  EXPECT_EQ(lines.all.back().stream, "Loaded image: tool:1\n");
  EXPECT_THAT(lines.statuses(), Contains("Loading layer"));
  EXPECT_THAT(engine.names_below("tmp"), IsEmpty());
}

TEST(Load, without_a_name_tells_the_id) {
  Engine engine;
  Simple made;
  Lines lines;
  auto loaded = load(engine,
                     make_tar({{"c", made.config},
                               {"l", testing::gzip(made.layer)},
                               {"manifest.json", R"([{"Config":"c","RepoTags":null,"Layers":["l"]}])"}}),
                     &lines);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_THAT(*loaded, ElementsAre(made.id()));
  EXPECT_EQ(lines.all.back().stream, "Loaded image ID: " + made.id() + "\n");
}

TEST(Load, of_an_oci_layout_checks_every_digest) {
  Simple made;
  auto name = [](const std::string& content) { return "blobs/sha256/" + oci::Digest::of_bytes(content).hex(); };
  auto describe = [](const std::string& content, std::string_view type) {
    return oci::Descriptor{.media_type = std::string(type),
                           .digest = oci::Digest::of_bytes(content).str(),
                           .size = static_cast<int64_t>(content.size())};
  };
  const std::string layer = testing::gzip(made.layer);
  oci::Manifest manifest{.media_type = std::string(oci::media::kOciManifest)};
  manifest.config = describe(made.config, oci::media::kOciConfig);
  manifest.layers = {describe(layer, oci::media::kOciLayerGzip)};
  const std::string text = oci::format_manifest(manifest);
  oci::Index index;
  index.manifests = {describe(text, oci::media::kOciManifest)};
  index.manifests[0].annotations = {{"org.opencontainers.image.ref.name", "quay.io/some/tool:2"}};
  Files files{{"oci-layout", R"({"imageLayoutVersion":"1.0.0"})"},
              {"index.json", oci::format_index(index)},
              {name(text), text},
              {name(made.config), made.config},
              {name(layer), layer}};
  Engine engine;
  auto loaded = load(engine, make_tar(files));
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_THAT(*loaded, ElementsAre("quay.io/some/tool:2"));
  for (size_t broken = 2; broken < files.size(); ++broken) {
    Files bad = files;
    bad[broken].second[bad[broken].second.size() / 2] ^= 1;
    Engine other;
    auto refused = load(other, make_tar(bad));
    ASSERT_FALSE(refused) << bad[broken].first;
    EXPECT_EQ(refused.error().code(), Code::InvalidArgument) << refused.error().message();
    expect_nothing_left(other);
  }
}

TEST(Load, refuses_invalid_archives_and_leaves_nothing) {
  Simple made;
  auto manifest = [](const std::string& config, const std::string& tags, const std::string& layers) {
    return std::pair<std::string, std::string>(
        "manifest.json", R"([{"Config":")" + config + R"(","RepoTags":[)" + tags + R"(],"Layers":[)" + layers + "]}]");
  };
  const std::vector<std::pair<const char*, Files>> cases = {
      {"no documents", {{"readme", "hello"}}},
      {"broken json", {{"manifest.json", "[{"}}},
      {"wrong types", {{"manifest.json", R"([{"Config":7}])"}}},
      {"no config", {manifest("missing.json", "", "")}},
      {"config outside", {manifest("../../../../etc/hostname", "", "")}},
      {"config is not json", {{"c", "hi"}, manifest("c", "", "")}},
      {"missing layer", {{"c", made.config}, manifest("c", "", "\"gone/layer.tar\"")}},
      {"too few layers", {{"c", made.config}, manifest("c", "", "")}},
      {"layer of other content", {{"c", made.config}, {"l", make_tar({{"x", "y"}})}, manifest("c", "", "\"l\"")}},
      {"layer is no tar", {{"c", made.config}, {"l", "not a tar at all"}, manifest("c", "", "\"l\"")}},
      {"bad tag", {{"c", made.config}, {"l", made.layer}, manifest("c", "\"UPPER CASE\"", "\"l\"")}},
  };
  for (const auto& [name, files] : cases) {
    Engine engine;
    auto loaded = load(engine, make_tar(files));
    ASSERT_FALSE(loaded) << name;
    EXPECT_EQ(loaded.error().code(), Code::InvalidArgument) << name << ": " << loaded.error().message();
    expect_nothing_left(engine);
  }
  for (const std::string& bytes : {std::string("garbage"), std::string(3000, 'x'), testing::gzip("garbage")}) {
    Engine engine;
    auto loaded = load(engine, bytes);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code(), Code::InvalidArgument) << loaded.error().message();
    expect_nothing_left(engine);
  }
}

TEST(Save, then_load_gives_the_same_image_and_the_same_bytes) {
  Engine engine, other;
  MemorySource rootfs(make_tar({{"a", "1"}, {"b/c", std::string(100000, 'q')}}));
  oci::ImageConfig config;
  config.labels = {{"k", "v"}};
  auto id = engine->import(rootfs, config, "made here", *oci::parse_reference("thing:1"), std::nullopt, kNever);
  ASSERT_TRUE(id) << id.error().message();
  MemorySink first, second;
  ASSERT_TRUE(engine->save({"thing:1"}, first, kNever));
  ASSERT_TRUE(engine->save({"thing:1"}, second, kNever));
  EXPECT_EQ(first.text, second.text);
  auto loaded = load(other, first.text);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_THAT(*loaded, ElementsAre("thing:1"));
  EXPECT_EQ(other->get("thing:1")->id, *id);
  MemorySink third;
  ASSERT_TRUE(other->save({"thing"}, third, kNever));
  EXPECT_EQ(first.text, third.text);
  auto missing = engine->save({"nothing"}, third, kNever);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message(), "No such image: nothing:latest");
}

TEST(Save, refuses_to_write_a_layer_whose_content_has_changed) {
  Engine engine;
  MemorySource rootfs(make_tar({{"a", "1"}}));
  ASSERT_TRUE(engine->import(rootfs, {}, "", *oci::parse_reference("thing"), std::nullopt, kNever));
  auto base = *engine->get("thing");
  ASSERT_TRUE(engine.snapshots().create_writable(SnapshotKey("w"), base.top));
  ASSERT_TRUE(sys::replace_file(engine.snapshots().diff_dir(SnapshotKey("w")) + "/new", "new"));
  auto id = engine->commit({.writable = SnapshotKey("w"), .parent_id = base.id});
  ASSERT_TRUE(id) << id.error().message();
  MemorySink good;
  auto saved = engine->save({*id}, good, kNever);
  ASSERT_TRUE(saved) << saved.error().message();
  auto image = *engine->get(*id);
  ASSERT_TRUE(sys::replace_file(engine.snapshots().diff_dir(*image.top) + "/new", "old"));
  MemorySink bad;
  auto refused = engine->save({*id}, bad, kNever);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::DataLoss);
}

TEST(Import, makes_a_one_layer_image_with_its_comment) {
  Engine engine;
  MemorySource rootfs(testing::gzip(make_tar({{"a", "1"}})));
  auto id = engine->import(rootfs, {}, "", std::nullopt, oci::Platform{"linux", "arm64", "v8"}, kNever);
  ASSERT_TRUE(id) << id.error().message();
  auto image = *engine->get(*id);
  EXPECT_EQ(image.config.architecture, "arm64");
  EXPECT_EQ(image.config.history[0].comment, "Imported from -");
  EXPECT_EQ(engine.file_in_top(image, "a"), "1");
}

TEST(Commit, adds_a_layer_only_when_something_changed) {
  Engine engine;
  MemorySource rootfs(make_tar({{"a", "1"}}));
  auto base = *engine->import(rootfs, {}, "", *oci::parse_reference("base"), std::nullopt, kNever);
  auto top = engine->get(base)->top;
  ASSERT_TRUE(engine.snapshots().create_writable(SnapshotKey("w"), top));
  auto empty = engine->commit({.writable = SnapshotKey("w"), .parent_id = base, .history = {.created_by = "nothing"}});
  ASSERT_TRUE(empty) << empty.error().message();
  EXPECT_EQ(engine->get(*empty)->config.rootfs.diff_ids.size(), 1u);
  EXPECT_TRUE(engine->get(*empty)->config.history.back().empty_layer);
  ASSERT_TRUE(sys::replace_file(engine.snapshots().diff_dir(SnapshotKey("w")) + "/b", "2"));
  oci::ImageConfig config;
  config.env = {"A=B"};
  auto full = engine->commit(
      {.writable = SnapshotKey("w"), .parent_id = *empty, .config = config, .history = {.created_by = "echo 2 > b"}});
  ASSERT_TRUE(full) << full.error().message();
  auto image = *engine->get(*full);
  EXPECT_EQ(image.config.rootfs.diff_ids.size(), 2u);
  EXPECT_EQ(image.config.config.env, config.env);
  EXPECT_EQ(image.parent, *empty);
  EXPECT_EQ(engine.file_in_top(image, "b"), "2");
  EXPECT_TRUE(engine.snapshots().exists(SnapshotKey("w")));
  auto history = *engine->history(*full);
  ASSERT_EQ(history.size(), 3u);
  EXPECT_EQ(history[0].id, *full);
  EXPECT_EQ(history[0].created_by, "echo 2 > b");
  EXPECT_EQ(history[0].size, 1);
  EXPECT_EQ(history[1].id, *empty);
  EXPECT_EQ(history[1].size, 0);
  EXPECT_THAT(history[2].tags, ElementsAre("base:latest"));
}

TEST(Commit, uses_the_snapshot_up_when_asked) {
  Engine engine;
  ASSERT_TRUE(engine.snapshots().create_writable(SnapshotKey("w"), std::nullopt));
  ASSERT_TRUE(sys::replace_file(engine.snapshots().diff_dir(SnapshotKey("w")) + "/only", "1"));
  auto id = engine->commit({.writable = SnapshotKey("w"), .consume = true});
  ASSERT_TRUE(id) << id.error().message();
  EXPECT_EQ(engine.file_in_top(*engine->get(*id), "only"), "1");
  EXPECT_FALSE(engine.snapshots().exists(SnapshotKey("w")));
  MemorySink saved;
  auto result = engine->save({*id}, saved, kNever);
  EXPECT_TRUE(result) << result.error().message();
}

}  // namespace
}  // namespace sampan::image
