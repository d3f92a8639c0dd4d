#include "cdi/cdi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "sys/file.h"

namespace sampan::cdi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kGood = R"(
cdiVersion: "0.7.0"
kind: "acme.com/card"
annotations: {maker: acme}
containerEdits:
  env: ["ACME=1"]
devices:
- name: "0"
  containerEdits:
    env: [CARD=zero, PATH=/acme]
    deviceNodes:
    - {path: /dev/card0, hostPath: /dev/null, permissions: rw, fileMode: 0640, uid: 7}
    mounts:
    - {hostPath: /tmp, containerPath: /acme, options: [ro]}
    hooks:
    - {hookName: createRuntime, path: /bin/hook, args: [hook, a], env: [A=b], timeout: 3}
    additionalGids: [0, 44]
- name: "1"
  containerEdits: {env: [CARD=one]}
)";

std::string refusal(const std::string& text) {
  auto file = parse_spec_file(text);
  return file ? "" : file.error().message();
}

/// The smallest good file, with something in the place of its device's edits.
std::string with_edits(const std::string& edits, const std::string& version = "1.0.0") {
  return R"({"cdiVersion":")" + version + R"(","kind":"a.b/c","devices":[{"name":"x","containerEdits":)" + edits +
         "}]}";
}

TEST(CdiFile, is_read_from_both_syntaxes) {
  auto file = parse_spec_file(kGood);
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_EQ(file->devices.size(), 2u);
  EXPECT_EQ(file->devices[0].name, "0");
  const auto& node = file->devices[0].container_edits.device_nodes.at(0);
  EXPECT_EQ(node.file_mode, 0640u);
  EXPECT_EQ(node.uid, 7u);
  EXPECT_EQ(refusal(with_edits(R"({"env":["A=1"]})")), "");
}

TEST(CdiFile, what_is_wrong_is_named_by_its_member) {
  const std::pair<std::string, const char*> cases[] = {
      {"[]", "not an object"},
      {"{\"a\": [", "line"},
      {"a: 1\n---\na: 1\n", "2 documents"},
      {R"({"cdiVersion":"9.0.0","kind":"a/b","devices":[]})", "cdiVersion: \"9.0.0\""},
      {R"({"cdiVersion":"1.0.0","kind":"ab","devices":[]})", "kind: \"ab\""},
      {R"({"cdiVersion":"1.0.0","kind":"a/b","devices":[]})", "devices: none"},
      {R"({"cdiVersion":"1.0.0","kind":"a/b","device":[]})", "device: unknown"},
      {R"({"cdiVersion":"1.0.0","kind":"a/b","devices":[{"name":"-"}]})", "devices[0].name"},
      {R"({"cdiVersion":"1.0.0","kind":"a/b","devices":{}})", "devices"},
      {with_edits("{}"), "devices[0].containerEdits.: empty"},
      {with_edits(R"({"env":["A"]})"), "devices[0].containerEdits.env[0]"},
      {with_edits(R"({"envs":["A=1"]})"), "devices[0].containerEdits.envs: unknown"},
      {with_edits(R"({"deviceNodes":[{"path":"/dev/x","mode":1}]})"), "deviceNodes[0].mode: unknown"},
      {with_edits(R"({"deviceNodes":[{"path":"dev/x"}]})"), "deviceNodes[0].path"},
      {with_edits(R"({"deviceNodes":[{"path":"/dev/x","type":"q"}]})"), "deviceNodes[0].type"},
      {with_edits(R"({"deviceNodes":[{"path":"/dev/x","permissions":"x"}]})"), "deviceNodes[0].permissions"},
      {with_edits(R"({"mounts":[{"containerPath":"/x"}]})"), "mounts[0].hostPath"},
      {with_edits(R"({"hooks":[{"hookName":"never","path":"/x"}]})"), "hooks[0].hookName"},
      {with_edits(R"({"hooks":[{"hookName":"poststop","path":"x"}]})"), "hooks[0].path"},
      {with_edits(R"({"additionalGids":[5]})", "0.6.0"), "additionalGids: needs cdiVersion 0.7.0"},
      {with_edits(R"({"deviceNodes":[{"path":"/dev/x","hostPath":"/dev/y"}]})", "0.4.0"), "needs cdiVersion 0.5.0"},
      {with_edits(R"({"env":7})"), "devices"},
  };
  for (const auto& [text, words] : cases) EXPECT_THAT(refusal(text), HasSubstr(words)) << text;
}

TEST(CdiFile, aliases_do_not_multiply_without_end) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{0}: &a{0} [", i);
    for (int k = 0; k < 10; ++k) bomb += fmt::format("{}*a{}", k ? "," : "", i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(refusal(bomb), HasSubstr("too large"));
  EXPECT_THAT(refusal(std::string(5000, '[')), testing::Not(IsEmpty()));
}

class CdiCatalog : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cdi.XXXXXX";
    root_ = ::mkdtemp(name);
    dirs_ = {root_ + "/etc", root_ + "/run", root_ + "/missing"};
    for (const auto& dir : {dirs_[0], dirs_[1]}) ASSERT_TRUE(sys::make_dirs(dir));
  }
  void TearDown() override { (void)sys::remove_tree(root_); }
  void put(size_t dir, const std::string& name, const std::string& text) {
    ASSERT_TRUE(sys::replace_file(dirs_[dir] + "/" + name, text, 0644, sys::Durable::No));
  }
  static std::string one(const std::string& env) { return with_edits(R"({"env":["FROM=)" + env + R"("]})"); }

  std::string root_;
  std::vector<std::string> dirs_;
};

TEST_F(CdiCatalog, a_later_directory_wins_and_a_bad_file_costs_only_itself) {
  put(0, "a.json", one("etc"));
  put(0, "acme.yaml", kGood);
  put(0, "bad.yaml", "cdiVersion: seven");
  put(0, "notes.txt", "not ours");
  put(1, "a.json", one("run"));
  auto catalog = read_catalog(dirs_);
  EXPECT_EQ(catalog.devices.size(), 3u);
  EXPECT_TRUE(catalog.has_kind("acme.com/card"));
  EXPECT_FALSE(catalog.has_kind("acme.com/car"));
  ASSERT_EQ(catalog.problems.size(), 1u);
  EXPECT_THAT(catalog.problems[0], HasSubstr(dirs_[0] + "/bad.yaml: cdiVersion"));
  oci::Spec spec;
  ASSERT_TRUE(inject(catalog, std::vector<std::string>{"a.b/c=x"}, spec));
  EXPECT_THAT(spec.process->env, ElementsAre("FROM=run"));
}

TEST_F(CdiCatalog, a_device_of_two_files_of_one_directory_is_nobodys) {
  put(0, "a.json", one("one"));
  put(0, "b.json", one("two"));
  auto catalog = read_catalog(dirs_);
  EXPECT_THAT(catalog.devices, IsEmpty());
  EXPECT_THAT(catalog.problems.at(0), HasSubstr("conflicting device \"a.b/c=x\""));
  oci::Spec spec;
  auto refused = inject(catalog, std::vector<std::string>{"a.b/c=x"}, spec);
  EXPECT_EQ(refused.error().message(), "unresolvable CDI devices a.b/c=x");
}

TEST_F(CdiCatalog, the_edits_of_the_file_come_once_and_those_of_each_device_after) {
  put(0, "acme.yaml", kGood);
  auto catalog = read_catalog(dirs_);
  oci::Spec spec;
  spec.process.emplace().env = {"PATH=/bin"};
  spec.mounts.push_back({.destination = "/acme", .type = "tmpfs"});
  auto done = inject(catalog, std::vector<std::string>{"acme.com/card=0", "acme.com/card=1", "acme.com/card=0"}, spec);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_THAT(spec.process->env, ElementsAre("ACME=1", "PATH=/acme", "CARD=one"));
  ASSERT_EQ(spec.linux_->devices.size(), 1u);
  const auto& device = spec.linux_->devices[0];
  EXPECT_EQ(device.path, "/dev/card0");
  EXPECT_EQ(device.type, "c");
  EXPECT_EQ(device.major, 1);
  EXPECT_EQ(device.minor, 3);
  EXPECT_EQ(device.file_mode, 0640u);
  const auto& rule = spec.linux_->resources->devices.at(0);
  EXPECT_TRUE(rule.allow);
  EXPECT_EQ(rule.access, "rw");
  ASSERT_EQ(spec.mounts.size(), 1u);
  EXPECT_EQ(spec.mounts[0].type, "bind");
  EXPECT_THAT(spec.mounts[0].options, ElementsAre("rbind", "ro"));
  EXPECT_EQ(spec.hooks->create_runtime.at(0).path, "/bin/hook");
  EXPECT_THAT(spec.process->user.additional_gids, ElementsAre(44));
}

TEST_F(CdiCatalog, what_the_host_does_not_have_fails_by_name) {
  put(0, "a.json", with_edits(R"({"deviceNodes":[{"path":"/dev/no-such-card"}]})"));
  put(0, "b.json",
      R"({"cdiVersion":"1.0.0","kind":"r/d","devices":[{"name":"x","containerEdits":{"intelRdt":{"closID":"a"}}}]})");
  auto catalog = read_catalog(dirs_);
  oci::Spec spec;
  auto missing = inject(catalog, std::vector<std::string>{"a.b/c=x"}, spec);
  EXPECT_THAT(missing.error().message(), HasSubstr("/dev/no-such-card"));
  auto rdt = inject(catalog, std::vector<std::string>{"r/d=x"}, spec);
  EXPECT_EQ(rdt.error().code(), Code::NotImplemented);
  EXPECT_THAT(rdt.error().message(), HasSubstr("intelRdt"));
}

TEST(CdiNames, are_vendor_class_and_device) {
  EXPECT_TRUE(is_device_name("acme.com/card=0"));
  for (const char* bad : {"/dev/null", "card=0", "a/b", "a/b=", "/b=0", "a/=0", "a/b/c=0"})
    EXPECT_FALSE(is_device_name(bad)) << bad;
}

}  // namespace
}  // namespace sampan::cdi
