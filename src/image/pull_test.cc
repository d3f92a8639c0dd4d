// Pulls and pushes against a real registry on a loopback port.

#include <gmock/gmock.h>
#include <zstd.h>

#include "image/internal/test_support.h"

namespace sampan::image {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::Engine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Lines;
using testing::LocalRegistry;
using testing::RawPush;

#define NEED_REGISTRY() \
  if (!LocalRegistry::is_installed()) GTEST_SKIP() << "docker-registry is not installed"

const std::string& hello_tar() {
  static const std::string tar = testing::make_tar({{"hello", "hello from a layer\n"}, {"etc/motd", "welcome\n"}});
  return tar;
}

TEST(Pull, of_a_one_layer_image_brings_its_files_and_names) {
  NEED_REGISTRY();
  LocalRegistry registry;
  Engine engine;
  RawPush push(engine.client(), registry.host());
  auto pushed = push.image(testing::gzip(hello_tar()), oci::media::kOciLayerGzip, hello_tar(), "amd64", "latest");
  Lines lines;
  auto image = engine->pull(push.reference(), std::nullopt, {}, lines.sink(), {});
  ASSERT_TRUE(image) << image.error().message();
  EXPECT_EQ(engine.file_in_top(*image, "hello"), "hello from a layer\n");
  EXPECT_THAT(image->repo_tags, ElementsAre(registry.host() + "/made/by-hand:latest"));
  EXPECT_THAT(image->repo_digests, ElementsAre(registry.host() + "/made/by-hand@" + pushed.digest));
  EXPECT_EQ(lines.all[0].status, "Pulling from made/by-hand");
  EXPECT_EQ(lines.all[0].id, "latest");
  for (const char* status :
       {"Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"}) {
    EXPECT_THAT(lines.statuses(), Contains(status));
  }
  EXPECT_EQ(lines.all.back().status, "Status: Downloaded newer image for " + registry.host() + "/made/by-hand:latest");
  EXPECT_THAT(engine.names_below("tmp"), IsEmpty());
  Lines again;
  ASSERT_TRUE(engine->pull(push.reference(), std::nullopt, {}, again.sink(), {}));
  EXPECT_EQ(again.all.back().status, "Status: Image is up to date for " + registry.host() + "/made/by-hand:latest");
}

TEST(Pull, of_what_was_pushed_gives_the_same_image_and_manifest) {
  NEED_REGISTRY();
  LocalRegistry registry;
  Engine first, second;
  testing::MemorySource rootfs(hello_tar());
  oci::Reference reference{registry.host(), "pushed", "v1", ""};
  oci::ImageConfig config;
  config.cmd = std::vector<std::string>{"/hello"};
  auto id = first->import(rootfs, config, "", reference, std::nullopt, {});
  ASSERT_TRUE(id) << id.error().message();
  Lines lines;
  auto pushed = first->push(reference, {}, lines.sink(), {});
  ASSERT_TRUE(pushed) << pushed.error().message();
  EXPECT_EQ(lines.all[0].status, "The push refers to repository [" + registry.host() + "/pushed]");
  for (const char* status : {"Preparing", "Pushing", "Pushed"}) EXPECT_THAT(lines.statuses(), Contains(status));
  EXPECT_THAT(lines.all.back().aux_json, HasSubstr("\"Tag\":\"v1\""));
  auto pulled = second->pull(reference, std::nullopt, {}, {}, {});
  ASSERT_TRUE(pulled) << pulled.error().message();
  EXPECT_EQ(pulled->id, *id);
  EXPECT_EQ(pulled->config.config.cmd, config.cmd);
  EXPECT_EQ(second.file_in_top(*pulled, "etc/motd"), "welcome\n");
  EXPECT_EQ(pulled->repo_digests, first->get(*id)->repo_digests);
  // Pushed again under another name, the stored manifest goes out as it came in.
  oci::Reference again{registry.host(), "pushed", "v2", ""};
  ASSERT_TRUE(second->tag(pulled->id, again));
  Lines repeat;
  ASSERT_TRUE(second->push(again, {}, repeat.sink(), {}));
  EXPECT_THAT(repeat.statuses(), Contains("Layer already exists"));
  EXPECT_EQ(second->get(pulled->id)->repo_digests.size(), 1u);
}

TEST(Pull, chooses_the_platform_in_an_index) {
  NEED_REGISTRY();
  LocalRegistry registry;
  Engine engine;
  RawPush push(engine.client(), registry.host());
  const std::string other_tar = testing::make_tar({{"hello", "other\n"}});
  auto amd = push.image(testing::gzip(hello_tar()), oci::media::kOciLayerGzip, hello_tar(), "amd64");
  auto arm = push.image(testing::gzip(other_tar), oci::media::kOciLayerGzip, other_tar, "arm64");
  amd.platform = oci::Platform{"linux", "amd64", ""};
  arm.platform = oci::Platform{"linux", "arm64", "v8"};
  oci::Index index{.media_type = std::string(oci::media::kOciIndex), .manifests = {arm, amd}};
  auto top = push.manifest(oci::format_index(index), index.media_type, "latest");
  auto host = engine->pull(push.reference(), oci::Platform{"linux", "amd64", ""}, {}, {}, {});
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_EQ(engine.file_in_top(*host, "hello"), "hello from a layer\n");
  EXPECT_THAT(host->repo_digests, ElementsAre(HasSubstr(top.digest)));
  auto foreign = engine->pull(push.reference(), oci::Platform{"linux", "arm64", ""}, {}, {}, {});
  ASSERT_TRUE(foreign) << foreign.error().message();
  EXPECT_EQ(engine.file_in_top(*foreign, "hello"), "other\n");
  auto missing = engine->pull(push.reference(), oci::Platform{"linux", "s390x", ""}, {}, {}, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message(), "no matching manifest for linux/s390x in the manifest list entries");
  oci::Reference by_digest{registry.host(), "made/by-hand", "", amd.digest};
  auto exact = engine->pull(by_digest, std::nullopt, {}, {}, {});
  ASSERT_TRUE(exact) << exact.error().message();
  EXPECT_EQ(exact->id, host->id);
}

TEST(Pull, reads_zstd_and_plain_layers) {
  NEED_REGISTRY();
  LocalRegistry registry;
  Engine engine;
  RawPush push(engine.client(), registry.host());
  std::string zstd(ZSTD_compressBound(hello_tar().size()), '\0');
  zstd.resize(ZSTD_compress(zstd.data(), zstd.size(), hello_tar().data(), hello_tar().size(), 3));
  push.image(zstd, oci::media::kOciLayerZstd, hello_tar(), "amd64", "latest");
  auto image = engine->pull(push.reference(), std::nullopt, {}, {}, {});
  ASSERT_TRUE(image) << image.error().message();
  EXPECT_EQ(engine.file_in_top(*image, "hello"), "hello from a layer\n");
  const std::string plain = testing::make_tar({{"plain", "as it is"}});
  push.image(plain, oci::media::kOciLayer, plain, "amd64", "latest");
  auto second = engine->pull(push.reference(), std::nullopt, {}, {}, {});
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(engine.file_in_top(*second, "plain"), "as it is");
  EXPECT_THAT(engine->get(image->id)->repo_tags, IsEmpty());  // the tag has moved on
}

TEST(Pull, refuses_a_layer_that_is_not_its_diff_id_and_leaves_nothing) {
  NEED_REGISTRY();
  LocalRegistry registry;
  Engine engine;
  RawPush push(engine.client(), registry.host());
  push.image(testing::gzip(hello_tar()), oci::media::kOciLayerGzip, "another tar", "amd64", "latest");
  auto image = engine->pull(push.reference(), std::nullopt, {}, {}, {});
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code(), Code::DataLoss);
  EXPECT_THAT(*engine->list(), IsEmpty());
  EXPECT_THAT(engine.names_below("blobs/sha256"), IsEmpty());
  EXPECT_THAT(engine.names_below("snapshots"), IsEmpty());
}

TEST(Pull, goes_on_with_a_partial_download_of_an_earlier_daemon) {
  NEED_REGISTRY();
  LocalRegistry registry;
  Engine engine;
  RawPush push(engine.client(), registry.host());
  const std::string layer = testing::gzip(hello_tar());
  push.image(layer, oci::media::kOciLayerGzip, hello_tar(), "amd64", "latest");
  const std::string partial = engine.root() + "/tmp/" + oci::Digest::of_bytes(layer).hex() + ".partial";
  ASSERT_TRUE(sys::replace_file(partial, layer.substr(0, layer.size() / 2)));
  ASSERT_TRUE(sys::replace_file(engine.root() + "/tmp/load-1-1", "left over"));
  ASSERT_TRUE(engine->recover());
  EXPECT_EQ(engine.names_below("tmp").size(), 1u);  // only what can be continued
  Lines lines;
  auto image = engine->pull(push.reference(), std::nullopt, {}, lines.sink(), {});
  ASSERT_TRUE(image) << image.error().message();
  int64_t first_current = 0;
  for (const auto& line : lines.all) {
    if (line.status == "Downloading" && first_current == 0) first_current = line.current;
  }
  EXPECT_GT(first_current, static_cast<int64_t>(layer.size() / 2));
}

TEST(Pull, of_one_layer_by_several_at_once_downloads_it_once) {
  NEED_REGISTRY();
  LocalRegistry registry;
  Engine engine;
  RawPush push(engine.client(), registry.host());
  push.image(testing::gzip(hello_tar()), oci::media::kOciLayerGzip, hello_tar(), "amd64", "latest");
  std::vector<std::thread> pullers;
  std::vector<std::string> ids(4);
  std::vector<Lines> lines(4);
  for (size_t i = 0; i < ids.size(); ++i) {
    pullers.emplace_back([&, i] {
      auto image = engine->pull(push.reference(), std::nullopt, {}, lines[i].sink(), {});
      ids[i] = image ? image->id : image.error().message();
    });
  }
  for (auto& puller : pullers) puller.join();
  int extracted = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(ids[i], ids[0]);
    for (const auto& status : lines[i].statuses()) extracted += status == "Extracting" ? 1 : 0;
  }
  EXPECT_EQ(extracted, 1);
  EXPECT_EQ(engine->list()->size(), 1u);
  EXPECT_THAT(engine.names_below("tmp"), IsEmpty());
}

TEST(Pull, with_basic_authentication) {
  NEED_REGISTRY();
  // user "user", password "x", bcrypt
  LocalRegistry registry("", "user:$2b$05$aaaaaaaaaaaaaaaaaaaaaOEqz3KoKH6bru/RRpFuAJrwlceiJnvGu\n");
  Engine engine;
  const registry::Credentials user{.username = "user", .password = "x"};
  RawPush push(engine.client(), registry.host(), "private", user);
  push.image(testing::gzip(hello_tar()), oci::media::kOciLayerGzip, hello_tar(), "amd64", "latest");
  auto image = engine->pull(push.reference(), std::nullopt, user, {}, {});
  ASSERT_TRUE(image) << image.error().message();
  auto nobody = engine->pull(push.reference(), std::nullopt, {}, {}, {});
  ASSERT_FALSE(nobody);
  EXPECT_THAT(nobody.error().message(), HasSubstr("no basic auth credentials"));
  auto wrong = engine->pull(push.reference(), std::nullopt, {.username = "user", .password = "y"}, {}, {});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message(), HasSubstr("unauthorized: authentication required"));
}

TEST(Pull, of_a_missing_tag_says_what_docker_says) {
  NEED_REGISTRY();
  LocalRegistry registry;
  Engine engine;
  RawPush push(engine.client(), registry.host());
  push.image(testing::gzip(hello_tar()), oci::media::kOciLayerGzip, hello_tar(), "amd64", "latest");
  oci::Reference missing{registry.host(), "made/by-hand", "nope", ""};
  auto image = engine->pull(missing, std::nullopt, {}, {}, {});
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code(), Code::NotFound);
  EXPECT_EQ(image.error().message(),
            "manifest for " + registry.host() + "/made/by-hand:nope not found: manifest unknown: manifest unknown");
}

}  // namespace
}  // namespace sampan::image
