// Pulls and pushes against a real registry on a loopback port.

#include <gmock/gmock.h>
#include <zstd.h>

#include "image/internal/test_support.h"

namespace sampan::image {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Engine;
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
  for (const char* status : {"Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"}) {
    EXPECT_THAT(lines.statuses(), Contains(status));
  }
  EXPECT_EQ(lines.all.back().status, "Status: Downloaded newer image for " + registry.host() + "/made/by-hand:latest");
  EXPECT_THAT(engine.names_below("tmp"), IsEmpty());
  Lines again;
  ASSERT_TRUE(engine->pull(push.reference(), std::nullopt, {}, again.sink(), {}));
  EXPECT_EQ(again.all.back().status, "Status: Image is up to date for " + registry.host() + "/made/by-hand:latest");
}

}  // namespace
}  // namespace sampan::image
