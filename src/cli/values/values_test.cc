#include "cli/values/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "cli/options/parser.h"
#include "cli/values/body.h"
#include "cli/values/copy_path.h"
#include "cli/values/ignore.h"
#include "cli/values/kind.h"
#include "cli/values/reference.h"
#include "codec/json.h"

namespace sampan::cli {
namespace {

namespace json = boost::json;

std::string ports(const std::string& text) {
  auto list = parse_publish(text);
  if (!list) return list.error().message();
  std::string out;
  for (const auto& port : *list) out += port.host_ip + "|" + port.host_port + "|" + port.container_port + " ";
  return out;
}

TEST(Publish, every_form) {
  EXPECT_EQ(ports("80"), "||80/tcp ");
  EXPECT_EQ(ports("8080:80/udp"), "|8080|80/udp ");
  EXPECT_EQ(ports("127.0.0.1::53/udp"), "127.0.0.1||53/udp ");
  EXPECT_EQ(ports("[::1]:1:2"), "::1|1|2/tcp ");
  EXPECT_EQ(ports("9000-9001:80-81"), "|9000|80/tcp |9001|81/tcp ");
  EXPECT_EQ(ports("8000-8010:80"), "|8000-8010|80/tcp ");
  EXPECT_EQ(ports("target=80,published=8080,protocol=udp"), "|8080|80/udp ");
  EXPECT_EQ(ports("99999:80"), "invalid hostPort: 99999");
  EXPECT_EQ(ports("80:99999"), "invalid containerPort: 99999");
  EXPECT_EQ(ports("a:b:c:d"), "invalid IP address: a:b");
  EXPECT_EQ(ports("80/foo"), "invalid proto: foo");
  EXPECT_EQ(ports("80-81:90-95"), "invalid ranges specified for container and host Ports: 90-95 and 80-81");
}

TEST(Expose, ranges_expand) {
  EXPECT_THAT(*parse_expose("7-8/udp"), testing::ElementsAre("7/udp", "8/udp"));
  EXPECT_FALSE(parse_expose("80:80"));
}

std::string mount(const std::string& text) {
  auto value = parse_mount(text);
  return value ? codec::format_json(*value) : value.error().message();
}

TEST(Mount, every_kind) {
  EXPECT_EQ(mount("type=bind,src=/x,dst=/y,readonly,bind-propagation=rshared"),
            R"({"Type":"bind","Source":"/x","Target":"/y","ReadOnly":true,"BindOptions":{"Propagation":"rshared"}})");
  EXPECT_EQ(mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777"),
            R"({"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1048576,"Mode":1023}})");
  EXPECT_EQ(
      mount("source=v,destination=/v,volume-nocopy,volume-opt=o=p,\"volume-label=a=x,y\""),
      R"({"Type":"volume","Source":"v","Target":"/v","VolumeOptions":{"NoCopy":true,"DriverConfig":{"Options":{"o":"p"}},"Labels":{"a":"x,y"}}})");
  EXPECT_EQ(mount("type=bind,src=/a"), "target is required");
  EXPECT_EQ(mount("a=b"), "unexpected key 'a' in 'a=b'");
  EXPECT_EQ(mount("foo"), "invalid field 'foo' must be a key=value pair");
  EXPECT_EQ(mount("type=bind,src=/a,dst=/b,tmpfs-size=1m"), "cannot mix 'tmpfs-*' options with mount type 'bind'");
  EXPECT_EQ(mount("type=bind,src=/a,dst=/b,ro=maybe"), "invalid value for readonly: maybe");
}

TEST(Volume, sources_and_anonymous_targets) {
  EXPECT_TRUE(parse_volume("/data", "/w").anonymous);
  EXPECT_EQ(parse_volume("/a:/b:ro", "/w").text, "/a:/b:ro");
  EXPECT_EQ(parse_volume("name:/b", "/w").text, "name:/b");
  EXPECT_EQ(parse_volume("./a/../c:/b", "/w").text, "/w/c:/b");
  EXPECT_EQ(parse_volume(".:/b", "/w").text, "/w:/b");
  EXPECT_EQ(parse_volume("../x:/b", "/w/d").text, "/w/x:/b");
}

TEST(Network, long_form_reaches_the_endpoint) {
  auto network = parse_network(
      "name=n,alias=a,ip=1.2.3.4,mac-address=00:11:22:33:44:55,driver-opt=k=v,gw-priority=2,link-local-ip=169.254.1.1");
  ASSERT_TRUE(network);
  EXPECT_EQ(network->name, "n");
  EXPECT_EQ(
      codec::format_json(endpoint_json(*network)),
      R"({"IPAMConfig":{"IPv4Address":"1.2.3.4","LinkLocalIPs":["169.254.1.1"]},"Aliases":["a"],"MacAddress":"00:11:22:33:44:55","DriverOpts":{"k":"v"},"GwPriority":2})");
  EXPECT_FALSE(parse_network("alias=a"));
  EXPECT_FALSE(parse_network("name=n,foo=x"));
}

TEST(Environment, values_come_from_here_only_when_they_exist) {
  ::setenv("CLI_TEST_SET", "1", 1);
  ::unsetenv("CLI_TEST_UNSET");
  EXPECT_EQ(resolve_env("A=b=c"), "A=b=c");
  EXPECT_EQ(resolve_env("CLI_TEST_SET"), "CLI_TEST_SET=1");
  EXPECT_EQ(resolve_env("CLI_TEST_UNSET"), std::nullopt);
}

TEST(Environment, files_have_comments_and_names) {
  std::string path = testing::TempDir() + "cli_env";
  ::setenv("CLI_TEST_SET", "1", 1);
  std::ofstream(path) << "# comment\n\n  A=b # kept\nCLI_TEST_SET\nCLI_TEST_UNSET\nE=\n";
  EXPECT_THAT(*read_env_file(path, true), testing::ElementsAre("A=b # kept", "CLI_TEST_SET=1", "E="));
  std::ofstream(path) << "A B=c\n";
  EXPECT_EQ(read_env_file(path, true).error().message(), "variable 'A B' contains whitespaces");
  EXPECT_EQ(read_env_file("/nonexist", true).error().message(), "open /nonexist: no such file or directory");
}

TEST(SecurityOptions, seccomp_files_are_sent_by_content) {
  std::string path = testing::TempDir() + "cli_seccomp.json";
  std::ofstream(path) << "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }\n";
  EXPECT_THAT(*read_security_options({"seccomp=" + path, "label:disable", "no-new-privileges", "seccomp=unconfined"}),
              testing::ElementsAre("seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}", "label:disable",
                                   "no-new-privileges", "seccomp=unconfined"));
  EXPECT_EQ(read_security_options({"foo"}).error().message(), "Invalid --security-opt: \"foo\"");
  EXPECT_EQ(read_security_options({"seccomp=/nonexist"}).error().message(),
            "opening seccomp profile (/nonexist) failed: open /nonexist: no such file or directory");
}

TEST(Kinds, conversions_and_refusals) {
  auto text = [](Kind kind, const char* value) {
    auto json = value_to_json(kind, value);
    return json ? codec::format_json(*json) : json.error().message();
  };
  EXPECT_EQ(text(Kind::Capability, "net_admin"), "[\"CAP_NET_ADMIN\"]");
  EXPECT_EQ(text(Kind::Capability, "all"), "[\"ALL\"]");
  EXPECT_EQ(text(Kind::Cpus, "1.5"), "1500000000");
  EXPECT_EQ(text(Kind::Cpus, "x"), "failed to parse x as a rational number");
  EXPECT_EQ(text(Kind::SwapBytes, "-1"), "-1");
  EXPECT_EQ(text(Kind::Ulimit, "nofile=1:2"), R"([{"Name":"nofile","Hard":2,"Soft":1}])");
  EXPECT_EQ(text(Kind::Ulimit, "x"), "invalid ulimit argument: x");
  EXPECT_EQ(text(Kind::Device, "/dev/zero:/dev/z:r"),
            R"([{"PathOnHost":"/dev/zero","PathInContainer":"/dev/z","CgroupPermissions":"r"}])");
  EXPECT_EQ(text(Kind::Device, "/dev/zero:rw"),
            R"([{"PathOnHost":"/dev/zero","PathInContainer":"/dev/zero","CgroupPermissions":"rw"}])");
  EXPECT_EQ(text(Kind::DeviceRate, "/dev/sda:1mb"), R"([{"Path":"/dev/sda","Rate":1048576}])");
  EXPECT_EQ(text(Kind::DeviceRate, "a"), "bad format: a");
  EXPECT_EQ(text(Kind::Gpus, "2"),
            R"([{"Driver":"","Count":2,"DeviceIDs":null,"Options":{},"Capabilities":[["gpu"]]}])");
  EXPECT_EQ(text(Kind::ExtraHost, "a=[::1]"), "[\"a:::1\"]");
  EXPECT_EQ(text(Kind::ExtraHost, "x"), "bad format for add-host: \"x\"");
  EXPECT_EQ(text(Kind::Restart, "on-failure:x"),
            "invalid restart policy format: maximum retry count must be an integer");
  EXPECT_EQ(text(Kind::Tmpfs, "/run:size=1m"), R"({"/run":"size=1m"})");
  EXPECT_EQ(text(Kind::Uint16, "70000"), "strconv.ParseUint: parsing \"70000\": value out of range");
}

std::string refusal(std::vector<std::string> words) {
  words.insert(words.begin(), "run");
  words.push_back("image");
  ParsedLine line = parse_line(words);
  if (line.error) return line.error->text;
  auto request = make_create_request(line.arguments, false);
  return request ? "" : request.error().message();
}

TEST(CreateRequest, conflicts_are_dockers) {
  EXPECT_EQ(refusal({"--rm", "--restart", "always"}), "conflicting options: cannot specify both --restart and --rm");
  EXPECT_EQ(refusal({"--health-cmd", "x", "--no-healthcheck"}), "--no-healthcheck conflicts with --health-* options");
  EXPECT_EQ(refusal({"--network=host", "--network=n"}),
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  EXPECT_EQ(refusal({"--memory-swappiness", "200"}), "invalid value: 200. Valid memory swappiness range is 0-100");
  EXPECT_EQ(refusal({"--pid", "foo"}), "--pid: invalid PID mode");
  EXPECT_EQ(refusal({"--pull", "foo"}),
            "invalid pull option: 'foo': must be one of \"always\", \"missing\" or \"never\"");
  EXPECT_EQ(refusal({"--log-driver", "none", "--log-opt", "a=b"}), "invalid logging opts for driver none");
  EXPECT_EQ(refusal({"--health-interval", "-5s"}), "--health-interval cannot be negative");
  EXPECT_EQ(refusal({"--pid", "container:x", "--rm"}), "");
}

TEST(CreateRequest, streams_follow_the_flags) {
  auto streams = [](std::vector<std::string> words, bool detached) {
    words.insert(words.begin(), "run");
    words.push_back("image");
    auto request = make_create_request(parse_line(words).arguments, detached);
    return fmt::format("{}{}{}", request->attach_stdin ? "i" : "", request->attach_stdout ? "o" : "",
                       request->attach_stderr ? "e" : "");
  };
  EXPECT_EQ(streams({}, false), "oe");
  EXPECT_EQ(streams({"-i"}, false), "ioe");
  EXPECT_EQ(streams({"-i"}, true), "");
  EXPECT_EQ(streams({"-a", "stderr"}, false), "e");
}

TEST(ImageName, is_completed_and_shortened) {
  auto name = [](const char* text) {
    auto image = parse_image_name(text);
    return image ? image->full() + " " + image->familiar() : image.error().message();
  };
  EXPECT_EQ(name("alpine"), "docker.io/library/alpine alpine");
  EXPECT_EQ(name("a/b:1"), "docker.io/a/b:1 a/b:1");
  EXPECT_EQ(name("localhost:5000/x"), "localhost:5000/x localhost:5000/x");
  EXPECT_EQ(name("Foo"), "invalid reference format: repository name (library/Foo) must be lowercase");
  EXPECT_EQ(name("a:"), "invalid reference format");
  EXPECT_EQ(name("a//b"), "invalid reference format");
}

TEST(Ignore, patterns_are_gos) {
  EXPECT_TRUE(matches_pattern("*.md", "a.md"));
  EXPECT_FALSE(matches_pattern("*.md", "a/b.md"));
  EXPECT_TRUE(matches_pattern("**/*.md", "a.md"));
  EXPECT_TRUE(matches_pattern("**/*.md", "a/b/c.md"));
  EXPECT_TRUE(matches_pattern("a/**", "a/b/c"));
  EXPECT_FALSE(matches_pattern("a/**", "a"));
  EXPECT_TRUE(matches_pattern("a/**/z", "a/z"));
  EXPECT_TRUE(matches_pattern("a/**/z", "a/b/c/z"));
  EXPECT_TRUE(matches_pattern("[a-c]?x", "b1x"));
  EXPECT_FALSE(matches_pattern("[^a-c]x", "bx"));
  EXPECT_TRUE(matches_pattern("\\*", "*"));
  EXPECT_FALSE(matches_pattern("?", "/"));
  EXPECT_FALSE(matches_pattern(std::string(60, '*') + "b", std::string(2000, 'a')));  // no exponential time
}

TEST(Ignore, last_match_wins_and_children_follow) {
  auto list = IgnoreList::parse("# c\n node_modules/ \n!node_modules/keep\n*.log\n!important.log\n/docs\n");
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->ignores("node_modules"));
  EXPECT_TRUE(list->ignores("node_modules/a/b"));
  EXPECT_FALSE(list->ignores("node_modules/keep"));
  EXPECT_FALSE(list->ignores("node_modules/keep/x"));
  EXPECT_TRUE(list->ignores("x.log"));
  EXPECT_FALSE(list->ignores("important.log"));
  EXPECT_TRUE(list->ignores("docs/a"));
  EXPECT_FALSE(list->ignores("src"));
  EXPECT_TRUE(list->may_include_below("node_modules"));
  EXPECT_FALSE(list->may_include_below("docs"));
  EXPECT_FALSE(IgnoreList::parse("!"));
  EXPECT_FALSE(IgnoreList::parse("a[b"));
}

TEST(CopyPath, arguments_split_at_the_container) {
  EXPECT_EQ(parse_copy_argument("web:/a:b").container, "web");
  EXPECT_EQ(parse_copy_argument("web:/a:b").path, "/a:b");
  EXPECT_EQ(parse_copy_argument("./a:b").container, "");
  EXPECT_EQ(parse_copy_argument("/a:b").container, "");
  EXPECT_EQ(parse_copy_argument("-").path, "-");
}

TEST(CopyPath, dockers_table) {
  auto plan = [](CopyEnd source, CopyEnd destination) {
    auto result = plan_copy(source, destination);
    return result ? result->directory + "|" + result->name : result.error().message();
  };
  CopyEnd file{"/s/f", true, false}, dir{"/s/d", true, true}, content{"/s/d/.", true, true};
  CopyEnd to_dir{"/t", true, true}, to_file{"/t/x", true, false}, missing{"/t/new", false, false},
      missing_dir{"/t/new/", false, false};
  EXPECT_EQ(plan(file, to_dir), "/t|f");
  EXPECT_EQ(plan(file, to_file), "/t|x");
  EXPECT_EQ(plan(file, missing), "/t|new");
  EXPECT_EQ(plan(file, missing_dir), "no such directory");
  EXPECT_EQ(plan(dir, to_dir), "/t|d");
  EXPECT_EQ(plan(dir, to_file), "cannot copy directory");
  EXPECT_EQ(plan(dir, missing), "/t|new");
  EXPECT_EQ(plan(dir, missing_dir), "/t|new");
  EXPECT_EQ(plan(content, to_dir), "/t|");
  EXPECT_EQ(plan(content, missing), "/t|new");
}

}  // namespace
}  // namespace sampan::cli
