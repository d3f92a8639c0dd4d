// What the daemon's configuration adds to a container, and what it leaves alone.
#include "engine/defaults.h"

#include <gmock/gmock.h>

namespace sampan::engine {
namespace {

using testing::ElementsAre;

ContainerDefaults everything() {
  ContainerDefaults out;
  out.log = {"json-file", {{"max-size", "1m"}, {"tag", "daemon"}}};
  out.ulimits = {{"nofile", 2048, 1024}, {"core", 0, 0}};
  out.shm_size = 1 << 20;
  out.ipc_mode = "shareable";
  out.cgroup_parent = "/teams";
  out.seccomp = "unconfined";
  out.init = out.no_new_privileges = true;
  out.dns_search = {"example.org"};
  return out;
}

TEST(ContainerDefaults, fill_what_was_left_open) {
  container::ContainerSpec spec;
  apply_defaults(everything(), spec);
  const auto& host = spec.host_config;
  EXPECT_EQ(host.log_config.type, "json-file");
  EXPECT_EQ(host.log_config.config.at("max-size"), "1m");
  EXPECT_EQ(host.ulimits->size(), 2u);
  EXPECT_EQ(host.shm_size, 1 << 20);
  EXPECT_EQ(host.ipc_mode, "shareable");
  EXPECT_EQ(host.cgroup_parent, "/teams");
  EXPECT_EQ(host.init, true);
  EXPECT_THAT(*host.security_opt, ElementsAre("no-new-privileges", "seccomp=unconfined"));
  EXPECT_THAT(host.dns_search, ElementsAre("example.org"));
}

TEST(ContainerDefaults, leave_alone_what_was_said) {
  container::ContainerSpec spec;
  auto& host = spec.host_config;
  host.log_config = {"json-file", {{"tag", "mine"}}};
  host.ulimits = {{"nofile", 9, 8}};
  host.init = false;
  host.security_opt = {"seccomp=builtin", "no-new-privileges:false"};
  host.ipc_mode = "private";
  apply_defaults(everything(), spec);
  EXPECT_EQ(host.log_config.config.at("tag"), "mine");
  EXPECT_EQ(host.log_config.config.at("max-size"), "1m");
  EXPECT_EQ(host.ulimits->front().hard, 9);
  EXPECT_EQ(host.ulimits->size(), 2u);
  EXPECT_EQ(host.init, false);
  EXPECT_THAT(*host.security_opt, ElementsAre("seccomp=builtin", "no-new-privileges:false"));
  EXPECT_EQ(host.ipc_mode, "private");
}

TEST(ContainerDefaults, options_of_a_log_driver_go_with_that_driver_only) {
  container::ContainerSpec spec;
  spec.host_config.log_config.type = "none";
  apply_defaults(everything(), spec);
  EXPECT_TRUE(spec.host_config.log_config.config.empty());
}

TEST(ContainerDefaults, nothing_configured_changes_nothing) {
  container::ContainerSpec spec;
  std::string before = container::format_host_config(spec.host_config);
  apply_defaults({}, spec);
  EXPECT_EQ(container::format_host_config(spec.host_config), before);
}

}  // namespace
}  // namespace sampan::engine
