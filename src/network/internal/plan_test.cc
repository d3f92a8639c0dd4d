#include "network/internal/plan.h"

#include <gtest/gtest.h>

#include "network/internal/records.h"

namespace sampan::network {
namespace {

std::string text_of(const std::vector<Change>& plan) {
  std::string out;
  for (const auto& change : plan) out += format_change(change) + "\n";
  return out;
}

struct Case {
  NetworkRecord network;
  Endpoint endpoint;
  Case() {
    network.driver = "bridge";
    network.bridge = "sampan0";
    endpoint.host_interface = "vsp-1";
    endpoint.ip_address = "172.17.0.2";
    endpoint.gateway = "172.17.0.1";
    endpoint.mac_address = "02:42:ac:11:00:02";
    endpoint.prefix_len = 16;
  }
};

TEST(PlanAttach, default_network) {
  Case c;
  EXPECT_EQ(text_of(plan_attach(c.network, c.endpoint, DefaultRoute::Yes)),
            "add veth vsp-1 to sampan0, eth0 02:42:ac:11:00:02 inside\n"
            "bring up vsp-1\n"
            "bring up eth0 inside\n"
            "add 172.17.0.2/16 to eth0 inside\n"
            "add default route by 172.17.0.1 inside\n");
}

TEST(PlanAttach, isolated_ports_second_network_published) {
  Case c;
  c.network.options = {{kOptionIcc, "false"}, {kOptionMtu, "1400"}};
  c.network.enable_ipv6 = true;
  c.endpoint.interface_name = "eth1";
  c.endpoint.ports = {{"tcp", 80, "", 8080}, {"udp", 53, "127.0.0.1", 5353}, {"tcp", 80, "::1", 8081}};
  EXPECT_EQ(text_of(plan_attach(c.network, c.endpoint, DefaultRoute::No)),
            "add veth vsp-1 to sampan0, eth1 02:42:ac:11:00:02 inside, mtu 1400\n"
            "set port vsp-1 isolated hairpin\n"
            "bring up vsp-1\n"
            "bring up eth1 inside, with IPv6\n"
            "add 172.17.0.2/16 to eth1 inside\n"
            "publish 0.0.0.0:8080/tcp to 172.17.0.2:80\n"
            "publish 127.0.0.1:5353/udp to 172.17.0.2:53\n");
}

TEST(PlanAttach, internal_network_has_no_way_out) {
  Case c;
  c.endpoint.gateway = "";
  EXPECT_EQ(text_of(plan_attach(c.network, c.endpoint, DefaultRoute::Yes)).find("default route"), std::string::npos);
}

TEST(MakeRecord, refuses_what_docker_refuses) {
  auto existing = make_builtin_records("sampan0");
  existing[0].subnet = "172.17.0.0/16";
  auto code = [&](CreateNetwork request) { return make_record(request, existing, {}).error().code(); };
  EXPECT_EQ(code({.name = "bridge"}), Code::PermissionDenied);
  EXPECT_EQ(code({.name = "a/b"}), Code::InvalidArgument);
  EXPECT_EQ(code({.name = "x", .driver = "overlay"}), Code::NotFound);
  EXPECT_EQ(code({.name = "x", .driver = "host"}), Code::PermissionDenied);
  EXPECT_EQ(code({.name = "x", .subnet = "172.17.4.0/24"}), Code::PermissionDenied);
  EXPECT_EQ(code({.name = "x", .subnet = "10.0.0.0/8", .gateway = "11.0.0.1"}), Code::InvalidArgument);
  EXPECT_EQ(code({.name = "x", .subnet = "10.0.0.0/24", .ip_range = "10.0.1.0/28"}), Code::InvalidArgument);
  EXPECT_EQ(code({.name = "x", .gateway = "10.0.0.1"}), Code::InvalidArgument);
  EXPECT_EQ(code({.name = "x", .options = {{kOptionBridgeName, "../../etc"}}}), Code::InvalidArgument);
  EXPECT_EQ(code({.name = "x", .options = {{kOptionMtu, "many"}}}), Code::InvalidArgument);
  EXPECT_EQ(code({.name = "x", .options = {{kOptionBridgeName, "sampan0"}}}), Code::Conflict);
}

TEST(MakeRecord, chooses_a_subnet_and_names_a_bridge) {
  std::vector<Prefix> host = {*parse_prefix("172.17.0.0/16")};
  auto record = make_record({.name = "web", .labels = {{"a", "b"}}}, {}, host);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->subnet, "172.18.0.0/16");
  EXPECT_EQ(record->gateway, "172.18.0.1");
  EXPECT_EQ(record->bridge, "sp-" + record->id.substr(0, 12));
  EXPECT_EQ(record->id.size(), 64u);
}

}  // namespace
}  // namespace sampan::network
