// Flags and daemon.json become settings, or an error with the directive's name in it.
#include <gmock/gmock.h>

#include <fstream>
#include <set>

#include "daemon/configuration.h"
#include "daemon/hosts.h"

namespace sampan::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const Flags& flags, std::string_view file) {
  auto settings = merge_settings(flags, file);
  return settings ? "accepted" : settings.error().message();
}

TEST(Configuration, nothing_said_is_the_defaults) {
  auto settings = merge_settings({}, "");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->data_root, "/var/lib/sampan");
  EXPECT_TRUE(settings->live_restore);
  EXPECT_TRUE(merge_settings({}, "  \n"));
}

TEST(Configuration, the_file_and_the_flags_say_different_things) {
  auto settings = merge_settings({{"debug", {"true"}}, {"dns", {"1.1.1.1", "8.8.8.8"}}},
                                 R"({"labels": ["a=1", "b=2"], "shutdown-timeout": 3, "bip": "10.9.0.1/24"})");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_TRUE(settings->debug);
  EXPECT_THAT(settings->dns, ElementsAre("1.1.1.1", "8.8.8.8"));
  EXPECT_THAT(settings->labels, ElementsAre("a=1", "b=2"));
  EXPECT_EQ(settings->shutdown_timeout, 3);
}

TEST(Configuration, unknown_keys_are_refused_in_dockers_words) {
  EXPECT_EQ(refusal({}, R"({"nope": 1, "abc": {"inner": 2}, "debug": true})"),
            "the following directives don't match any configuration option: inner, nope");
}

TEST(Configuration, what_is_said_twice_is_refused_in_dockers_words) {
  EXPECT_EQ(refusal({{"labels", {"c=d"}}, {"debug", {"true"}}}, R"({"labels": ["a=b", "x=y"], "debug": false})"),
            "the following directives are specified both as a flag and in the configuration file: "
            "debug: (from flag: true, from file: false), labels: (from flag: [c=d], from file: [a=b x=y])");
}

TEST(Configuration, a_password_in_a_proxy_is_not_told) {
  EXPECT_THAT(refusal({{"http-proxy", {"http://me:secret@a:1"}}}, R"({"proxies": {"http-proxy": "http://b:1"}})"),
              HasSubstr("http://xxxxx:xxxxx@a:1"));
}

TEST(Configuration, wrong_values_name_their_key) {
  struct {
    const char *file, *words;
  } const kCases[] = {
      {"{", "invalid JSON"},
      {"[]", "must be an object"},
      {"{} x", "invalid JSON"},
      {R"({"debug": "yes"})", "debug"},
      {R"({"labels": "a=b"})", "labels"},
      {R"({"labels": ["x"]})", "bad attribute format: x"},
      {R"({"labels": ["a=1", "a=2"]})", "conflict labels for a=2 and a=1"},
      {R"({"log-level": "loud"})", "invalid logging level: loud"},
      {R"({"shutdown-timeout": 1.5})", "shutdown-timeout"},
      {R"({"shutdown-timeout": -7})", "invalid shutdown timeout: -7"},
      {R"({"dns": ["x"]})", "x is not an ip address"},
      {R"({"insecure-registries": ["http://x"]})", "insecure registry http://x should not contain '://'"},
      {R"({"bip": "300.1.1.1/8"})", "invalid CIDR address: 300.1.1.1/8"},
      {R"({"hosts": ["ftp://x"]})", "invalid bind address: ftp://x"},
      {R"({"hosts": ["tcp://0.0.0.0:2375"]})", "--tlsverify"},
      {R"({"hosts": ["tcp://0.0.0.0:2376"], "tls": true})", "--tlsverify"},
      {R"({"storage-driver": "btrfs"})", "\"storage-driver\" cannot be btrfs here"},
      {R"({"bridge": "br0"})", "\"bridge\" cannot be br0 here"},
      {R"({"bridge": "none", "bip": "10.0.0.1/24"})", "bip and bridge none exclude each other"},
      {R"({"default-gateway": "fe80::1"})", "default-gateway: fe80::1 is not an IPv4 address"},
      {R"({"host-gateway-ips": ["10.0.0.1", "10.0.0.2"]})", "only one IPv4 host gateway IP address can be specified"},
      {R"({"host-gateway-ips": ["10.0.0.1"], "host-gateway-ip": "10.0.0.2"})", "only one IPv4 host gateway IP"},
      {R"({"host-gateway-ip": "here"})", "here is not an ip address"},
      {R"({"oom-score-adjust": 1001})", "oom score adjustment: 1001"},
      {R"({"node-generic-resources": ["gpu"]})", "could not parse generic resource: gpu"},
      {R"({"node-generic-resources": ["gpu=2", "gpu=one"]})", "mixed discrete and named resources"},
      {R"({"node-generic-resources": ["gpu=one", "gpu=2"]})", "mixed discrete and named resources"},
      {R"({"features": {"buildkit": true}})", "\"features\" cannot be true here"},
      {R"({"exec-opts": ["native.cgroupdriver=systemd"]})", "exec-opts"},
      {R"({"mtu": -5})", "invalid default MTU: -5"},
      {R"({"ip": "x"})", "x is not an ip address"},
      {R"({"default-ipc-mode": "host"})", "IPC mode \"host\""},
      {R"({"default-ulimits": {"nofile": {"Hard": 1, "Soft": 2}}})", "soft limit (2)"},
      {R"({"default-address-pools": [{"base": "10.0.0.0/24", "size": 16}]})", "size 16"},
      {R"({"default-network-opts": {"macvlan": {"a": "b"}}})", "macvlan"},
      {R"({"registry-mirrors": ["mirror"]})", "no scheme specified for \"mirror\""},
      {R"({"registry-mirrors": ["https://m/path"]})", "path, query, or fragment"},
      {R"({"log-opts": {"a": 1}})", "log-opts.a"},
      {R"({"runtimes": {"x": {"path": "y"}}})", "\"runtimes\" is not supported"},
  };
  for (const auto& [file, words] : kCases) EXPECT_THAT(refusal({}, file), HasSubstr(words)) << file;
}

TEST(Configuration, values_have_the_forms_that_docker_gives_them) {
  auto file = merge_settings({}, R"({"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 20, "Soft": 10}},
      "default-shm-size": "1m", "default-address-pools": [{"base": "10.0.0.0/16", "size": 24}],
      "default-network-opts": {"bridge": {"a": "b"}}, "log-opts": {"max-size": "5m"}, "icc": false})");
  auto flags = merge_settings({{"default-ulimits", {"nofile=10:20"}},
                               {"default-shm-size", {"1m"}},
                               {"default-address-pools", {"base=10.0.0.0/16,size=24"}},
                               {"default-network-opts", {"bridge=a=b"}},
                               {"log-opts", {"max-size=5m"}},
                               {"icc", {"false"}}},
                              "");
  for (const auto* settings : {&file, &flags}) {
    ASSERT_TRUE(*settings) << settings->error().message();
    const Settings& s = **settings;
    EXPECT_EQ(s.default_ulimits.at("nofile"), (UlimitSetting{"nofile", 10, 20}));
    EXPECT_EQ(s.default_shm_size.bytes, 1 << 20);
    EXPECT_EQ(s.default_address_pools.front(), (PoolSetting{"10.0.0.0/16", 24}));
    EXPECT_EQ(s.default_network_opts.at("bridge").at("a"), "b");
    EXPECT_EQ(s.log_opts.at("max-size"), "5m");
    EXPECT_FALSE(s.icc);
  }
}

TEST(Configuration, null_says_nothing) {
  EXPECT_TRUE(merge_settings({}, R"({"labels": null, "userns-remap": null})"));
}

TEST(Configuration, tcp_with_client_certificates_is_possible) {
  EXPECT_TRUE(merge_settings({}, R"({"hosts": ["tcp://0.0.0.0:2376", "fd://"], "tlsverify": true})"));
}

TEST(Configuration, a_reload_changes_what_can_change) {
  Settings now, wanted;
  wanted.debug = true;
  wanted.labels = {"a=b"};
  wanted.bip = "10.0.0.1/8";
  Settings after = apply_reload(now, wanted);
  EXPECT_TRUE(after.debug);
  EXPECT_THAT(after.labels, ElementsAre("a=b"));
  EXPECT_EQ(after.bip, "");
  auto told = reload_attributes(after);
  EXPECT_EQ(told["debug"], "true");
  EXPECT_EQ(told["labels"], R"(["a=b"])");
  EXPECT_EQ(told["live-restore"], "true");
  EXPECT_EQ(told["features"], "map[]");
  EXPECT_EQ(told["shutdown-timeout"], "10");
  EXPECT_FALSE(told.contains("bip"));
}

TEST(Directives, every_row_is_whole_and_unique) {
  std::set<std::string_view> keys, flags;
  for (const auto& row : directives()) {
    EXPECT_TRUE(keys.insert(row.key).second) << row.key;
    if (*row.flag != '\0') EXPECT_TRUE(flags.insert(row.flag).second) << row.flag;
    EXPECT_STRNE(row.help, "") << row.key;
  }
}

/// A row of the table in docs/guide/daemon.md.
std::string format_row(const Directive& row) {
  bool refused = std::holds_alternative<std::monostate>(row.member);
  std::string flag = *row.flag != '\0' ? fmt::format("`{}`", row.flag) : "";
  std::string values = *row.only != '\0' ? fmt::format("; only: {}", row.only) : "";
  return fmt::format("| `{}` | {} | {} | {}{} |", row.key, flag, row.reload == Reload::Yes ? "yes" : "",
                     refused ? fmt::format("*refused*: {}", row.help) : row.help, values);
}

TEST(Directives, stand_in_the_guide_each_in_its_row) {
  std::ifstream file(SAMPAN_SOURCE_DIR "/docs/guide/daemon.md");
  std::set<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.insert(line);
  for (const auto& row : directives()) EXPECT_TRUE(lines.contains(format_row(row))) << "missing:\n" << format_row(row);
}

TEST(Directives, a_refused_one_is_refused_from_both_sides) {
  for (const auto& row : directives()) {
    if (!std::holds_alternative<std::monostate>(row.member)) continue;
    std::string named = fmt::format("\"{}\" is not supported", row.key);
    EXPECT_THAT(refusal({{row.key, {"x"}}}, ""), HasSubstr(named));
    EXPECT_THAT(refusal({}, fmt::format(R"({{"{}": "x"}})", row.key)), HasSubstr(named));
  }
}

TEST(Directives, every_row_refuses_a_value_of_the_wrong_form) {
  for (const auto& row : directives()) EXPECT_NE(refusal({}, fmt::format(R"({{"{}": [[1]]}})", row.key)), "accepted");
}

TEST(Hosts, are_paths_addresses_or_activated_sockets) {
  EXPECT_EQ(parse_host("unix:///run/x.sock")->place, "/run/x.sock");
  EXPECT_EQ(parse_host("tcp://0.0.0.0")->port, 2376);
  EXPECT_EQ(parse_host("tcp://:99")->place, "127.0.0.1");
  EXPECT_EQ(parse_host("tcp://[::1]:77/")->place, "::1");
  EXPECT_EQ(parse_host("tcp://[::1]:77")->port, 77);
  EXPECT_EQ(parse_host("fd://")->place, "");
  EXPECT_EQ(parse_host("fd://3")->place, "3");
  for (const char* bad :
       {"", "unix://", "unix://x", "tcp://a:b", "tcp://a:70000", "tcp://a:1/path", "tcp://[::1", "/x"}) {
    EXPECT_FALSE(parse_host(bad)) << bad;
  }
}

}  // namespace
}  // namespace sampan::daemon
