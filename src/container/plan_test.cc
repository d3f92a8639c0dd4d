#include "container/plan.h"
#include "container/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../tests/support/golden.h"
#include "codec/json.h"

namespace sampan::container {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

image::ImageRecord test_image() {
  image::ImageRecord image;
  image.id = "sha256:" + std::string(64, 'a');
  image.config.config.env = {"PATH=/bin", "LANG=C"};
  image.config.config.cmd = std::vector<std::string>{"sh"};
  image.config.config.labels = {{"from", "image"}};
  return image;
}

RecordFacts test_facts() {
  return {std::string(64, '1'), "web", "2026-01-02T03:04:05Z", "/c/" + std::string(64, '1'), 4, 2};
}

Result<ContainerRecord> record_of(std::string_view json) {
  auto spec = TRY(parse_container_spec(json));
  auto image = test_image();
  std::vector<std::string> warnings;
  return make_record(spec, &image, test_facts(), warnings);
}

RuntimeFacts facts_for(const ContainerRecord& record) {
  RuntimeFacts facts;
  facts.possible_cpus = 2;
  facts.host_devices = {{"/dev/sda", "b", 8, 0, 0660, 0, 6}};
  facts.mapped_devices["/dev/fuse"] = {{"/dev/fuse", "c", 10, 229, 0666, 0, 0}};
  facts.mapped_devices["/dev/snd"] = {{"/dev/snd/seq", "c", 116, 1, 0660, 0, 29},
                                      {"/dev/snd/timer", "c", 116, 33, 0660, 0, 29}};
  facts.device_numbers["/dev/sda"] = {8, 0};
  auto plans = plan_mounts(record.config, record.host_config, {});
  if (plans) {
    for (auto& plan : *plans) {
      if (plan.point.type == "volume")
        plan.point.source = "/volumes/" + (plan.anonymous ? "anonymous" : plan.point.name) + "/_data";
      facts.mounts.push_back(runtime_mount(plan));
    }
  }
  return facts;
}

TEST(RuntimeSpec, golden_cases_match) {
  golden::run_suite("spec", [](const std::string& input) -> std::string {
    auto record = record_of(input);
    if (!record) return record.error().message();
    auto spec = make_runtime_spec(*record, facts_for(*record));
    if (!spec) return spec.error().message();
    // The default profile has its own golden suite; here only whether there is one matters.
    if (spec->linux_->seccomp && spec->linux_->seccomp->syscalls.size() > 5)
      spec->linux_->seccomp->syscalls.resize(1), spec->linux_->seccomp->syscalls[0].names = {"(default profile)"};
    auto value = codec::parse_json(oci::format_spec(*spec));
    return codec::format_json_pretty(*value, 2);
  });
}

TEST(Seccomp, golden_profile_for_capability_sets) {
  golden::run_suite("seccomp", [](const std::string& input) -> std::string {
    auto capabilities = codec::from_json<std::vector<std::string>>(input);
    auto profile = default_seccomp(*capabilities);
    return codec::format_json_pretty(codec::write_json(profile), 2);
  });
}

TEST(MakeRecord, merges_the_image_below_the_request) {
  auto record = record_of(R"({"Image":"x","Env":["LANG=zh"],"Labels":{"a":"b"}})");
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->path, "sh");
  EXPECT_THAT(record->config.env, ::testing::ElementsAre("LANG=zh", "PATH=/bin"));
  EXPECT_EQ(record->config.labels.at("from"), "image");
  EXPECT_EQ(record->config.hostname, std::string(12, '1'));
  EXPECT_EQ(record->host_config.network_mode, "bridge");
}

TEST(MakeRecord, an_entrypoint_drops_the_images_command) {
  auto record = record_of(R"({"Image":"x","Entrypoint":["/init"]})");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->path, "/init");
  EXPECT_TRUE(record->args.empty());
}

struct BadRequest {
  const char* body;
  const char* words;
  Code code = Code::InvalidArgument;
};
TEST(MakeRecord, bad_requests_name_what_is_wrong) {
  const BadRequest cases[] = {
      {R"({"Image":"x","HostConfig":{"Memory":1024}})", "Minimum memory limit allowed is 6MB"},
      {R"({"Image":"x","HostConfig":{"MemorySwap":104857600}})", "set the Memory limit"},
      {R"({"Image":"x","HostConfig":{"NanoCpus":9000000000}})", "only 4 CPUs available"},
      {R"({"Image":"x","HostConfig":{"CpusetCpus":"7"}})", "Requested CPUs are not available"},
      {R"({"Image":"x","HostConfig":{"CpusetCpus":"0-x"}})", "Invalid value 0-x"},
      {R"({"Image":"x","HostConfig":{"CapAdd":["FLY"]}})", "invalid CapAdd: unknown capability: \"CAP_FLY\""},
      {R"({"Image":"x","HostConfig":{"RestartPolicy":{"Name":"sometimes"}}})", "unknown policy 'sometimes'"},
      {R"({"Image":"x","HostConfig":{"AutoRemove":true,"RestartPolicy":{"Name":"always"}}})", "AutoRemove"},
      {R"({"Image":"x","HostConfig":{"Sysctls":{"kernel.panic":"1"}}})", "not whitelisted"},
      {R"({"Image":"x","HostConfig":{"NetworkMode":"host","Sysctls":{"net.ipv4.ip_forward":"1"}}})",
       "host network namespace"},
      {R"({"Image":"x","HostConfig":{"PidMode":"other"}})", "invalid PID mode"},
      {R"({"Image":"x","HostConfig":{"SecurityOpt":["seccomp={"]}})", "Decoding seccomp profile failed"},
      {R"({"Image":"x","HostConfig":{"SecurityOpt":["magic=1"]}})", "invalid --security-opt"},
      {R"({"Image":"x","HostConfig":{"LogConfig":{"Type":"json-file","Config":{"max-sizes":"1"}}}})",
       "unknown log opt 'max-sizes'"},
      {R"({"Image":"x","HostConfig":{"LogConfig":{"Type":"splunk"}}})", "no log driver named 'splunk'",
       Code::NotImplemented},
      {R"({"Image":"x","NetworkingConfig":{"EndpointsConfig":{"a":{"DriverOpts":{"b":"c"}}}}})",
       "EndpointSettings.DriverOpts", Code::NotImplemented},
      {R"({"Image":"x","NetworkingConfig":{"EndpointsConfig":{"a":{"IPAMConfig":{"IPv6Address":"fe80::1"}}}}})",
       "IPAMConfig.IPv6Address", Code::NotImplemented},
      {R"({"Image":"x","NetworkingConfig":{"EndpointsConfig":{"a":{"IPAMConfig":{"LinkLocalIPs":["169.254.0.1"]}}}}})",
       "IPAMConfig.LinkLocalIPs", Code::NotImplemented},
      {R"({"Image":"x","HostConfig":{"StorageOpt":{"size":"1G"}}})", "project quotas"},
      {R"({"Image":"x","HostConfig":{"StorageOpt":{"what":"1"}}})", "Unknown option what"},
      {R"({"Image":"x","HostConfig":{"Isolation":"hyperv"}})", "linux only supports 'default'"},
      {R"({"Image":"x","HostConfig":{"IOMaximumIOps":1}})", "maximum IOPs"},
      {R"({"Image":"x","HostConfig":{"CpusetMems":"3"}})",
       "memory nodes are not available - requested 3, available: 0-1"},
      {R"({"Image":"x","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"x"}]}}})",
       "invalid port specification: \"x\""},
      {R"({"Image":"x","HostConfig":{"PortBindings":{"80/what":null}}})", "invalid port specification: \"80/what\""},
      {R"({"Image":"x","HostConfig":{"PortBindings":{"80":[{"HostPort":"9-8"}]}}})",
       "invalid port specification: \"9-8\""},
      {R"({"Image":"x","HostConfig":{"ExtraHosts":["nonsense"]}})", "bad format for add-host: \"nonsense\""},
      {R"({"Image":"x","HostConfig":{"Links":["a:b:c"]}})", "bad format for links: a:b:c"},
      {R"({"HostConfig":{"Memory":0}})", "config cannot be empty in order to create a container"},
      {"", "invalid JSON: got EOF while reading request body"},
      {R"({"StopSignal":"SIGNOPE"})", "invalid signal: SIGNOPE"},
      {R"({"WorkingDir":"rel"})", "absolute path"},
      {R"({"Healthcheck":{"Interval":5}})", "Interval in Healthcheck"},
      {R"({"Env":["=x"]})", "invalid environment variable"},
      {R"({"Image":"x","HostConfig":{"Memory":"lots"}})", "HostConfig.Memory must be an integer"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.body);
    auto record = record_of(c.body);
    ASSERT_FALSE(record);
    EXPECT_THAT(record.error().message(), HasSubstr(c.words));
    EXPECT_EQ(record.error().code(), c.code);
  }
}

TEST(Mounts, bad_specifications_are_refused) {
  for (const char* bind : {"", "a:b:c:d", ":/x", "/a:rel", "/a:/", "/a:/b:wat", "-bad-:/x", "/a:/b/../.."}) {
    HostConfig host;
    host.binds = std::vector<std::string>{bind};
    EXPECT_FALSE(plan_mounts({}, host, {})) << bind;
  }
  HostConfig twice;
  twice.binds = std::vector<std::string>{"/a:/x", "/b:/x/"};
  auto plans = plan_mounts({}, twice, {});
  ASSERT_FALSE(plans);
  EXPECT_THAT(plans.error().message(), HasSubstr("Duplicate mount point: /x"));
}

TEST(Mounts, parents_come_before_children) {
  HostConfig host;
  host.binds = std::vector<std::string>{"/a:/x/y/z", "/b:/x"};
  auto plans = plan_mounts({}, host, {});
  ASSERT_TRUE(plans);
  EXPECT_EQ((*plans)[0].point.destination, "/x");
}

TEST(Capabilities, default_set_is_dockers_fourteen) {
  auto names = plan_capabilities({});
  ASSERT_TRUE(names);
  EXPECT_EQ(names->size(), 14u);
  EXPECT_THAT(*names, Not(Contains("CAP_SYS_ADMIN")));
}

TEST(Capabilities, names_beat_all) {
  HostConfig host;
  host.cap_drop = std::vector<std::string>{"ALL"};
  host.cap_add = std::vector<std::string>{"net_bind_service"};
  EXPECT_THAT(*plan_capabilities(host), ::testing::ElementsAre("CAP_NET_BIND_SERVICE"));
  host.cap_add = std::vector<std::string>{"ALL"};
  host.cap_drop = std::vector<std::string>{"SYS_ADMIN"};
  EXPECT_THAT(*plan_capabilities(host), Not(Contains("CAP_SYS_ADMIN")));
  EXPECT_THAT(*plan_capabilities(host), Contains("CAP_NET_ADMIN"));
}

TEST(Signals, names_numbers_and_realtime) {
  EXPECT_EQ(*parse_signal("SIGKILL"), 9);
  EXPECT_EQ(*parse_signal("term"), 15);
  EXPECT_EQ(*parse_signal("34"), 34);
  EXPECT_EQ(*parse_signal("RTMIN+2"), 36);
  EXPECT_EQ(*parse_signal("SIGRTMAX-1"), 63);
  for (const char* bad : {"0", "-1", "65", "SIGWAT", "RTMIN+99", ""}) EXPECT_FALSE(parse_signal(bad)) << bad;
}

TEST(Files, resolv_conf_prefers_the_containers_options) {
  const char* host =
      "# a comment\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch a.example b.example\noptions ndots:2\n";
  EXPECT_EQ(format_resolv_conf({}, host, ""),
            "nameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch a.example b.example\noptions ndots:2\n");
  HostConfig config;
  config.dns = {"9.9.9.9"};
  config.dns_search = {"."};
  EXPECT_EQ(format_resolv_conf(config, host, "172.17.0.1"), "nameserver 9.9.9.9\noptions ndots:2\n");
  EXPECT_THAT(format_resolv_conf({}, host, "172.17.0.1"), HasSubstr("nameserver 172.17.0.1\nsearch"));
}

TEST(Files, hosts_refuses_a_smuggled_line) {
  ContainerRecord record;
  record.host_config.extra_hosts = std::vector<std::string>{"db:10.0.0.1\n127.0.0.1 evil"};
  EXPECT_FALSE(format_hosts(record, {}, ""));
  record.host_config.extra_hosts = std::vector<std::string>{"db:10.0.0.1", "gw:host-gateway", "v6=[::2]"};
  const HostsEntry own[] = {{"172.17.0.2", {"web", "alias"}}};
  auto text = format_hosts(record, own, "172.17.0.1");
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("10.0.0.1\tdb\n172.17.0.1\tgw\n::2\tv6\n172.17.0.2\tweb alias\n"));
}

TEST(Record, survives_a_round_trip_through_the_store) {
  auto record = record_of(
      R"({"Image":"x","ExposedPorts":{"80/tcp":{}},"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"8080"}]},"PidsLimit":7}})");
  ASSERT_TRUE(record);
  auto again = parse_record(format_record(*record));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(format_record(*again), format_record(*record));
  EXPECT_EQ(again->host_config.pids_limit, 7);
}

TEST(Update, zero_members_leave_what_is_there) {
  HostConfig host;
  host.memory = 64 << 20;
  host.cpu_shares = 10;
  ASSERT_TRUE(merge_update(R"({"Memory":0,"CpuShares":512,"RestartPolicy":{"Name":""}})", host));
  EXPECT_EQ(host.memory, 64 << 20);
  EXPECT_EQ(host.cpu_shares, 512);
}

TEST(Link, every_way_to_write_one_means_the_same) {
  for (const char* text : {"db:store", "/db:store", "/db:/web/store"}) {
    auto link = parse_link(text);
    EXPECT_EQ(link.name, "db") << text;
    EXPECT_EQ(link.alias, "store") << text;
  }
  EXPECT_EQ(parse_link("db").alias, "db");
}

}  // namespace
}  // namespace sampan::container
