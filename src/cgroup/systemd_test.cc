#include "cgroup/systemd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "cgroup/internal/dbus_wire.h"
#include "cgroup/internal/device_list.h"
#include "cgroup/internal/unit_properties.h"

namespace sampan::cgroup {
namespace {

using internal::DeviceList;
using internal::PropertyValue;
using internal::UnitProperty;
using testing::ElementsAre;
using testing::HasSubstr;

const PropertyValue* find(const std::vector<UnitProperty>& list, const std::string& name) {
  const PropertyValue* found = nullptr;
  for (const auto& property : list)
    if (property.name == name) found = &property.value;
  return found;
}
template <typename T>
T value(const std::vector<UnitProperty>& list, const std::string& name) {
  const auto* found = find(list, name);
  EXPECT_TRUE(found && std::holds_alternative<T>(*found)) << name;
  return found && std::holds_alternative<T>(*found) ? std::get<T>(*found) : T();
}

TEST(UnitPlace, a_slice_is_below_the_slices_of_its_name) {
  EXPECT_EQ(*expand_slice("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
  EXPECT_EQ(*expand_slice("-.slice"), "/");
  for (const char* bad : {".slice", "a", "a/b.slice", "-a.slice", "a--b.slice", "a-.slice"})
    EXPECT_FALSE(expand_slice(bad)) << bad;
}

TEST(UnitPlace, slice_prefix_and_name_give_unit_and_path) {
  auto place = parse_unit_place("kube-pod1.slice:cri:abc", "x");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->unit, "cri-abc.scope");
  EXPECT_EQ(place->path, "/kube.slice/kube-pod1.slice/cri-abc.scope");
  EXPECT_EQ(parse_unit_place("", "x")->path, "/system.slice/sampan-x.scope");
  EXPECT_EQ(parse_unit_place(":docker:1", "x")->path, "/system.slice/docker-1.scope");
  EXPECT_EQ(parse_unit_place("-.slice::1", "x")->path, "/1.scope");
  for (const char* bad : {"/a/b", "a:b", "a.slice:b:c:d", "system.slice:a:b.slice", "system.slice:../x:b", "x:a:b"})
    EXPECT_FALSE(parse_unit_place(bad, "x")) << bad;
  EXPECT_THAT(parse_unit_place("/a", "x").error().message(), HasSubstr("slice:prefix:name"));
}

TEST(UnitProperties, limits_have_the_names_of_the_version) {
  oci::Resources resources;
  resources.memory.emplace().limit = 64 << 20;
  resources.memory->swap = 64 << 20;
  resources.cpu.emplace().shares = 1024;
  resources.cpu->quota = 12345;
  resources.cpu->cpus = "0-1,9";
  resources.pids = oci::PidsLimit{-1};
  resources.unified["memory.high"] = "max";
  auto v2 = internal::limit_properties(resources, Version::V2);
  ASSERT_TRUE(v2);
  EXPECT_EQ(value<uint64_t>(*v2, "MemoryMax"), 64U << 20);
  EXPECT_EQ(value<uint64_t>(*v2, "MemorySwapMax"), 0U) << "memory+swap equal to memory is no swap";
  EXPECT_EQ(value<uint64_t>(*v2, "CPUWeight"), 100U);
  EXPECT_EQ(value<uint64_t>(*v2, "CPUQuotaPerSecUSec"), 130000U) << "rounded up to a percent";
  EXPECT_THAT(value<std::vector<uint8_t>>(*v2, "AllowedCPUs"), ElementsAre(3, 2));
  EXPECT_EQ(value<uint64_t>(*v2, "TasksMax"), UINT64_MAX);
  EXPECT_EQ(value<uint64_t>(*v2, "MemoryHigh"), UINT64_MAX);
  auto v1 = internal::limit_properties(resources, Version::Hybrid);
  ASSERT_TRUE(v1);
  EXPECT_EQ(value<uint64_t>(*v1, "MemoryLimit"), 64U << 20);
  EXPECT_EQ(value<uint64_t>(*v1, "CPUShares"), 1024U);
  EXPECT_FALSE(find(*v1, "MemoryMax"));
}

TEST(UnitProperties, device_rules_become_an_allow_list) {
  using Entries = std::vector<std::pair<std::string, std::string>>;
  auto strict = internal::device_properties({{false, "a", {}, {}, "rwm"},
                                             {true, "c", 1, 3, "r"},
                                             {true, "c", 1, 3, "w"},
                                             {true, "c", 136, {}, "rw"},
                                             {true, "b", {}, {}, "m"}});
  ASSERT_TRUE(strict);
  EXPECT_EQ(value<std::string>(*strict, "DevicePolicy"), "strict");
  EXPECT_THAT(value<Entries>(*strict, "DeviceAllow"),
              ElementsAre(std::pair<std::string, std::string>{"block-*", "m"},
                          std::pair<std::string, std::string>{"/dev/char/1:3", "rw"},
                          std::pair<std::string, std::string>{"char-136", "rw"}));
  auto open = internal::device_properties({{true, "a", {}, {}, "rwm"}});
  EXPECT_EQ(value<std::string>(*open, "DevicePolicy"), "auto");
}

TEST(UnitProperties, annotations_are_typed_and_from_a_list) {
  const std::string prefix = "org.systemd.property.";
  auto read = [&](const char* name, const char* text) {
    return internal::annotation_properties({{prefix + name, text}, {"other", "x"}});
  };
  EXPECT_EQ(value<std::string>(*read("CollectMode", "'inactive-or-failed'"), "CollectMode"), "inactive-or-failed");
  EXPECT_EQ(value<uint64_t>(*read("TimeoutStopSec", "1.5"), "TimeoutStopUSec"), 1500000U);
  EXPECT_EQ(value<uint64_t>(*read("TimeoutStopUSec", "uint64 123456789"), "TimeoutStopUSec"), 123456789U);
  EXPECT_EQ(value<bool>(*read("SendSIGKILL", "false"), "SendSIGKILL"), false);
  EXPECT_EQ(value<int32_t>(*read("KillSignal", "15"), "KillSignal"), 15);
  EXPECT_THAT(value<std::vector<std::string>>(*read("After", "['a.service', \"b.service\"]"), "After"),
              ElementsAre("a.service", "b.service"));
  for (auto [name, text] : {std::pair{"ExecStop", "'/bin/sh'"}, {"PIDs", "1"}, {"Slice", "'x.slice'"}, {"x", "1"}})
    EXPECT_FALSE(read(name, text)) << name;
  for (const char* text : {"", "'a", "['a", "what", "int32 x", "uint64 -1", "int32 99999999999"})
    EXPECT_FALSE(read("KillSignal", text)) << text;
}

TEST(DeviceList, an_update_writes_the_difference_only) {
  auto before = DeviceList::of_kernel_list("c 1:3 rwm\nc 1:5 rwm\nb *:* m\n");
  auto after = DeviceList::of_rules({{false, "a", {}, {}, "rwm"}, {true, "c", 1, 3, "rw"}, {true, "b", {}, {}, "m"}});
  ASSERT_TRUE(before && after);
  std::vector<std::string> lines;
  for (const auto& rule : before->changes_to(*after))
    lines.push_back((rule.allow ? "+" : "-") + rule.type + std::to_string(rule.major.value_or(-1)) + ":" +
                    std::to_string(rule.minor.value_or(-1)) + rule.access);
  EXPECT_THAT(lines, ElementsAre("-c1:3m", "-c1:5rwm"));
  auto open = DeviceList::of_kernel_list("a *:* rwm\n");
  EXPECT_TRUE(open->allows_by_default());
  EXPECT_EQ(open->changes_to(*after).front().type, "a") << "what an open list refuses is not known";
}

TEST(DeviceList, a_hole_in_a_wildcard_is_refused) {
  auto list = DeviceList::of_rules({{true, "c", 136, {}, "rwm"}, {false, "c", 136, 7, "w"}});
  ASSERT_FALSE(list);
  EXPECT_THAT(list.error().message(), HasSubstr("not supported by devices cgroup v1"));
  EXPECT_FALSE(DeviceList::of_rules({{true, "u", 1, 1, "r"}}));
  EXPECT_FALSE(DeviceList::of_rules({{true, "c", 1, 1, "x"}}));
}

TEST(DbusWire, a_message_survives_the_wire_and_a_torn_one_is_an_error) {
  internal::WireMessage message;
  message.type = internal::MessageType::Signal;
  message.serial = 7;
  message.path = "/org/freedesktop/systemd1";
  message.interface = "org.freedesktop.systemd1.Manager";
  message.member = "JobRemoved";
  message.signature = "uoss";
  internal::WireWriter body;
  body.u32(5);
  body.string("/job/5");
  body.string("a.scope");
  body.string("done");
  message.body = body.bytes();
  std::string bytes = internal::format_message(message);
  EXPECT_EQ(*internal::message_size(bytes), bytes.size());
  auto again = internal::parse_message(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->member, "JobRemoved");
  EXPECT_THAT(internal::body_words(*again), ElementsAre("5", "/job/5", "a.scope", "done"));
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(internal::parse_message(std::string_view(bytes).substr(0, size))) << size;
  for (size_t at = 0; at < bytes.size(); ++at) {  // whatever it says, reading ends within it
    std::string bent = bytes;
    bent[at] = '\xff';
    if (auto read = internal::parse_message(bent)) (void)internal::body_words(*read);
  }
}

TEST(DbusWire, properties_are_aligned_as_the_protocol_wants) {
  internal::WireWriter writer;
  writer.properties({{"T", uint64_t{1}}});
  // length, padding to 8; "T": length, text, zero; variant's signature "t": 1, 't', 0; padding to 8; the value.
  const char expected[] =
      "\x18\0\0\0\0\0\0\0"
      "\x01\0\0\0T\0\x01t\0\0\0\0\0\0\0\0"
      "\x01\0\0\0\0\0\0";
  EXPECT_EQ(writer.bytes(), std::string(expected, sizeof expected));
}

TEST(SystemdScope, no_bus_is_told) {
  ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
  ScopeOptions options;
  options.place = *parse_unit_place("", "x");
  auto scope = SystemdScope::start(options);
  ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
  ASSERT_FALSE(scope);
  EXPECT_THAT(scope.error().message(), HasSubstr("unable to connect to the system bus"));
}

}  // namespace
}  // namespace sampan::cgroup
