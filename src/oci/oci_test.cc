#include "oci/oci.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sampan::oci {
namespace {

using ::testing::HasSubstr;

TEST(Reference, normalises_like_docker) {
  struct Row {
    const char *text, *name, *tag, *familiar;
  };
  for (const auto& row :
       {Row{"busybox", "docker.io/library/busybox", "latest", "busybox:latest"},
        Row{"a/b:1", "docker.io/a/b", "1", "a/b:1"}, Row{"localhost/x", "localhost/x", "latest", "localhost/x:latest"},
        Row{"127.0.0.1:5000/x/y:v", "127.0.0.1:5000/x/y", "v", "127.0.0.1:5000/x/y:v"},
        Row{"docker.io/library/x", "docker.io/library/x", "latest", "x:latest"},
        Row{"r.example/a_b/c__d/e-f.g", "r.example/a_b/c__d/e-f.g", "latest", "r.example/a_b/c__d/e-f.g:latest"}}) {
    auto reference = parse_reference(row.text);
    ASSERT_TRUE(reference) << row.text;
    EXPECT_EQ(reference->name(), row.name);
    EXPECT_EQ(reference->tag, row.tag);
    EXPECT_EQ(reference->familiar(), row.familiar);
  }
}

TEST(Reference, digests_replace_the_default_tag) {
  std::string digest = "sha256:" + std::string(64, 'a');
  auto reference = parse_reference("x@" + digest);
  ASSERT_TRUE(reference);
  EXPECT_EQ(reference->tag, "");
  EXPECT_EQ(reference->familiar(), "x@" + digest);
}

TEST(Reference, bad_ones_are_refused) {
  for (const char* bad :
       {"", "A", "a//b", "/a", "a/", "a:", "a:b:c", "a b", "../x", "a/../b", "x@sha256:12", "x@md5:0", "-a", "a.",
        "a..b", "host:port/x", "h:99999/x", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}) {
    EXPECT_FALSE(parse_reference(bad)) << bad;
  }
  EXPECT_THAT(parse_reference("Upper/x")->domain, "Upper");
  EXPECT_THAT(parse_reference("upper/X").error().message(), HasSubstr("must be lowercase"));
}

TEST(Digest, only_whole_known_ones) {
  EXPECT_TRUE(Digest::parse("sha256:" + std::string(64, '0')));
  for (std::string bad : {std::string("sha256:") + std::string(63, '0'), "sha256:" + std::string(64, 'G'),
                          "sha1:" + std::string(40, '0'), "sha256:../" + std::string(61, '0'), std::string("")}) {
    EXPECT_FALSE(Digest::parse(bad)) << bad;
  }
}

TEST(Manifest, ambiguous_documents_are_refused) {
  std::string digest = "\"sha256:" + std::string(64, '0') + "\"";
  std::string config = R"("config":{"digest":)" + digest + "}";
  EXPECT_TRUE(parse_manifest("{" + config + ",\"layers\":[]}", media::kOciManifest));
  EXPECT_FALSE(parse_manifest("{" + config + ",\"layers\":[],\"manifests\":[]}", media::kOciManifest));
  EXPECT_FALSE(parse_index("{" + config + ",\"manifests\":[]}", media::kOciIndex));
  EXPECT_FALSE(parse_manifest("{" + config + R"(,"mediaType":"text/html"})", media::kOciManifest));
  EXPECT_FALSE(parse_manifest(R"({"config":{"digest":"nope"}})", media::kOciManifest));
  EXPECT_FALSE(
      parse_manifest("{" + config + R"(,"layers":[{"digest":)" + digest + R"(,"size":-1}]})", media::kOciManifest));
}

TEST(Platform, parses_and_matches) {
  auto arm = parse_platform("linux/arm/v7");
  ASSERT_TRUE(arm);
  EXPECT_EQ(arm->variant, "v7");
  EXPECT_TRUE(platform_matches({"linux", "arm64", ""}, {"linux", "arm64", "v8"}));
  EXPECT_FALSE(platform_matches({"linux", "arm", "v6"}, {"linux", "arm", "v7"}));
  for (const char* bad : {"", "a/b/c/d", "linux/", "lin ux"}) EXPECT_FALSE(parse_platform(bad)) << bad;
}

TEST(Spec, runtime_configuration_round_trips) {
  const char* text =
      R"({"ociVersion":"1.2.0","process":{"terminal":true,"user":{"uid":1,"gid":2,"additionalGids":[3]},"args":["a"],"cwd":"/","rlimits":[{"type":"RLIMIT_NOFILE","soft":1,"hard":2}],"noNewPrivileges":true},"root":{"path":"rootfs","readonly":true},"linux":{"resources":{"devices":[{"allow":false,"type":"a","access":"rwm"}],"memory":{"limit":5,"disableOOMKiller":false},"blockIO":{"weight":10}},"namespaces":[{"type":"pid"}],"maskedPaths":["/x"]}})";
  auto spec = parse_spec(text);
  ASSERT_TRUE(spec) << spec.error().message();
  EXPECT_EQ(spec->process->user.additional_gids[0], 3u);
  EXPECT_EQ(format_spec(*spec), text);
}

}  // namespace
}  // namespace sampan::oci
