// HostConfig.LogConfig: which options a driver has, and what they become.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container/log_tag.h"
#include "container/plan.h"

namespace sampan::container {
namespace {

using Options = std::map<std::string, std::string>;

ContainerRecord record_with(const std::string& driver, Options options) {
  ContainerRecord record;
  record.id = "0123456789abcdef0123";
  record.name = "web";
  record.image_id = "sha256:fedcba9876543210";
  record.path = "/bin/sh";
  record.args = {"-c", "true"};
  record.config.image = "nginx:1";
  record.config.labels = {{"team", "blue"}, {"tier", "front"}, {"other", "x"}};
  record.config.env = {"STAGE=prod", "STAGE_TWO=a=b", "EMPTY"};
  record.hostname_path = "/data/containers/1/hostname";
  record.log_path = "/data/containers/1/log/1-json.log";
  record.host_config.log_config = {driver, std::move(options)};
  return record;
}

Result<logs::WriterOptions> plan(const std::string& driver, Options options) {
  auto record = record_with(driver, std::move(options));
  return plan_log(record, log_file(record));
}

TEST(LogPlan, local_has_dockers_defaults_and_a_path_of_its_own) {
  auto out = plan("local", {}).value();
  EXPECT_EQ(out.max_size, 20 << 20);
  EXPECT_EQ(out.max_file, 5);
  EXPECT_TRUE(out.compress);
  EXPECT_EQ(out.path, "/data/containers/1/log/container.log");
}

TEST(LogPlan, json_file_rotates_by_default_and_does_not_compress) {
  auto out = plan("json-file", {}).value();
  EXPECT_EQ(out.max_size, 20 << 20);
  EXPECT_EQ(out.max_file, 3);
  EXPECT_FALSE(out.compress);
  EXPECT_EQ(out.path, "/data/containers/1/log/1-json.log");
}

TEST(LogPlan, labels_env_and_patterns_become_attributes) {
  auto out = plan("json-file", {{"labels", "team,missing"},
                                {"labels-regex", "^ti"},
                                {"env", "STAGE"},
                                {"env-regex", "_TWO$"},
                                {"tag", "{{.Name}}/{{ .ID }}"}})
                 .value();
  EXPECT_EQ(
      out.attributes,
      (Options{
          {"team", "blue"}, {"tier", "front"}, {"STAGE", "prod"}, {"STAGE_TWO", "a=b"}, {"tag", "web/0123456789ab"}}));
}

TEST(LogPlan, tags_know_dockers_fields) {
  auto record = record_with("json-file", {});
  auto tag = [&](const char* text) { return format_log_tag(record, text).value(); };
  EXPECT_EQ(tag("plain"), "plain");
  EXPECT_EQ(tag("{{.FullID}}"), "0123456789abcdef0123");
  EXPECT_EQ(tag("{{.ImageID}} {{.ImageFullID}} {{.ImageName}}"), "fedcba987654 sha256:fedcba9876543210 nginx:1");
  EXPECT_EQ(tag("{{.Command}}"), "/bin/sh -c true");
  EXPECT_EQ(tag("{{.DaemonName}}{{.ContainerName}}"), "docker/web");
}

TEST(LogPlan, what_cannot_be_is_refused_in_dockers_words) {
  struct Case {
    const char* driver;
    Options options;
    const char* text;
  };
  const Case cases[] = {
      {"json-file", {{"max-sizes", "1"}}, "unknown log opt 'max-sizes' for json-file log driver"},
      {"local", {{"nope", "1"}}, "unknown log opt 'nope' for log driver local"},
      {"json-file", {{"mode", "lazy"}}, "logger: logging mode not supported: lazy"},
      {"json-file", {{"max-buffer-size", "1m"}}, "max-buffer-size option is only supported with 'mode=non-blocking'"},
      {"local", {{"mode", "non-blocking"}, {"max-buffer-size", "x"}}, "error parsing option max-buffer-size"},
      {"json-file", {{"compress", "true"}, {"max-file", "1"}}, "compress cannot be true when max-file"},
      {"json-file", {{"compress", "maybe"}}, "strconv.ParseBool: parsing \"maybe\": invalid syntax"},
      {"json-file", {{"max-file", "0"}}, "max-file cannot be less than 1"},
      {"json-file", {{"labels-regex", "("}}, "error parsing regexp"},
      {"json-file", {{"tag", "{{.Nope}}"}}, "can't evaluate field Nope in type *logger.Info"},
      {"json-file", {{"tag", "{{.ID"}}, "unclosed action"},
      {"none", {{"max-size", "1"}}, "unknown log opt 'max-size' for none log driver"},
      {"splunk", {}, "logger: no log driver named 'splunk' is registered"},
  };
  for (const auto& c : cases) {
    auto out = plan(c.driver, c.options);
    ASSERT_FALSE(out) << c.text;
    EXPECT_THAT(out.error().message(), testing::HasSubstr(c.text));
  }
}

TEST(LogPlan, compression_that_is_only_a_default_gives_way) {
  EXPECT_FALSE(plan("local", {{"max-file", "1"}}).value().compress);
  EXPECT_TRUE(plan("local", {{"mode", "non-blocking"}, {"max-buffer-size", "4m"}}));
}

TEST(LogPlan, fluentds_buffer_limit_is_the_size_of_the_buffer) {
  auto bytes = [](Options options) {
    auto planned = plan("fluentd", std::move(options));
    return planned ? planned->forwarding->buffer_bytes : -1;
  };
  EXPECT_EQ(bytes({}), 1 << 20);
  EXPECT_EQ(bytes({{"fluentd-buffer-limit", "8m"}}), 8 << 20);
  EXPECT_EQ(bytes({{"fluentd-buffer-limit", "8m"}, {"mode", "non-blocking"}, {"max-buffer-size", "16m"}}), 16 << 20);
  EXPECT_EQ(bytes({{"fluentd-buffer-limit", "much"}}), -1);
}

}  // namespace
}  // namespace sampan::container
