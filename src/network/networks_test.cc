// Everything here happens in network namespaces of the test's own: the program leaves the host's at its start.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/strings.h"
#include "network/internal/dns_message.h"
#include "network/internal/ipv4.h"
#include "network/network.h"
#include "store/store.h"
#include "sys/file.h"
#include "sys/nftables.h"
#include "sys/rtnetlink.h"

namespace sampan::network {
namespace {

sys::NsFd own_namespace() {
  return sys::NsFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

void bring_lo_up(int netlink) {
  sys::RouteBatch batch;
  batch.set_up("lo");
  ASSERT_TRUE(batch.run(netlink));
}

/// The namespace that plays the host.
class PrivateHost : public ::testing::Environment {
 public:
  void SetUp() override {
    if (::geteuid() != 0) return;
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    auto netlink = sys::open_netlink(sys::NetlinkFamily::Route);
    ASSERT_TRUE(netlink);
    bring_lo_up(netlink->get());
  }
};
const auto* const kPrivateHost = ::testing::AddGlobalTestEnvironment(new PrivateHost);

/// A namespace with a netlink socket inside, as the zygote hands them over.
struct Namespace {
  sys::NsFd ns;
  sys::Fd netlink;

  Namespace() {
    in_home([&] {
      EXPECT_EQ(::unshare(CLONE_NEWNET), 0);
      ns = own_namespace();
      netlink = std::move(*sys::open_netlink(sys::NetlinkFamily::Route));
      bring_lo_up(netlink.get());
    });
  }
  static void in_home(const std::function<void()>& work) {
    auto home = own_namespace();
    work();
    EXPECT_EQ(::setns(home.get(), CLONE_NEWNET), 0);
  }
  /// A socket remembers the namespace that it was born in.
  sys::Fd socket(int family, int type) const {
    sys::Fd out;
    in_home([&] {
      EXPECT_EQ(::setns(ns.get(), CLONE_NEWNET), 0);
      out = sys::Fd(::socket(family, type | SOCK_CLOEXEC, 0));
    });
    timeval limit{2, 0};
    EXPECT_EQ(::setsockopt(out.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    EXPECT_EQ(::setsockopt(out.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    return out;
  }
};

sockaddr_in address_of(const std::string& ip, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(*parse_ipv4(ip));
  return out;
}

sys::Fd host_socket(int family, int type) {
  sys::Fd out(::socket(family, type | SOCK_CLOEXEC, 0));
  timeval limit{2, 0};
  (void)::setsockopt(out.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  (void)::setsockopt(out.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return out;
}

/// Answers every connection with the peer's address, then echoes until the peer ends.
class Server {
 public:
  Server(const Namespace& where, uint16_t port) : listener_(where.socket(AF_INET, SOCK_STREAM)) {
    auto address = address_of("0.0.0.0", port);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    timeval forever{0, 0};
    (void)::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    (void)::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

 private:
  void serve() {
    for (;;) {
      sockaddr_in peer{};
      socklen_t length = sizeof peer;
      sys::Fd client(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC));
      if (!client.valid()) return;
      std::string hello = format_ipv4(ntohl(peer.sin_addr.s_addr)) + "\n";
      (void)sys::write_all(client.get(), hello);
      char buffer[4096];
      for (ssize_t got; (got = ::read(client.get(), buffer, sizeof buffer)) > 0;) {
        (void)sys::write_all(client.get(), {buffer, static_cast<size_t>(got)});
      }
    }
  }
  sys::Fd listener_;
  std::thread thread_;
};

/// Sends a text, ends, and reads all: "<address the server saw>\n<text>"; "" when the connection fails.
std::string talk_to(sys::Fd socket, const sockaddr* address, socklen_t length, const std::string& text) {
  timeval limit{0, 150'000};
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(socket.get(), address, length) < 0) return "";
  if (!sys::write_all(socket.get(), text)) return "";
  (void)::shutdown(socket.get(), SHUT_WR);
  auto answer = sys::read_fd(socket.get());
  return answer ? *answer : "";
}

std::string talk(sys::Fd socket, const std::string& ip, uint16_t port, const std::string& text = "hello") {
  auto address = address_of(ip, port);
  return talk_to(std::move(socket), reinterpret_cast<sockaddr*>(&address), sizeof address, text);
}

size_t count_links(const std::string& prefix) {
  auto netlink = sys::open_netlink(sys::NetlinkFamily::Route);
  auto links = sys::list_links(netlink->get());
  return static_cast<size_t>(
      std::ranges::count_if(*links, [&](const auto& link) { return link.name.starts_with(prefix); }));
}

class NetworksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    char pattern[] = "/tmp/sampan.network.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    store_ = std::move(*store::open_store(directory_ + "/db"));
    reopen({});
  }
  void TearDown() override {
    if (networks_) EXPECT_TRUE(networks_->teardown());
    networks_.reset();
    store_.reset();
    if (!directory_.empty()) EXPECT_TRUE(sys::remove_tree(directory_));
  }
  void reopen(const std::vector<Endpoint>& live, NetworksOptions options = {}) {
    networks_.reset();
    auto opened = open_networks(*store_, std::move(options));
    ASSERT_TRUE(opened) << opened.error().message();
    networks_ = std::move(*opened);
    auto recovered = networks_->recover(live);
    ASSERT_TRUE(recovered) << recovered.error().message();
  }
  Endpoint attach(const Namespace& where, std::vector<PortMapping> ports = {}, const std::string& network = "bridge",
                  const std::string& name = "web") {
    AttachRequest request;
    request.network = network;
    request.container_id = std::string(60, 'c') + name.substr(0, 3) + "0";
    request.container_name = name;
    request.ports = std::move(ports);
    auto endpoint = networks_->attach(request, where.ns, where.netlink);
    EXPECT_TRUE(endpoint) << endpoint.error().message();
    return endpoint ? *endpoint : Endpoint{};
  }
  std::string attach_error(const Namespace& where, std::vector<PortMapping> ports) {
    AttachRequest request;
    request.network = "bridge";
    request.container_name = "second";
    request.ports = std::move(ports);
    auto endpoint = networks_->attach(request, where.ns, where.netlink);
    EXPECT_FALSE(endpoint);
    return endpoint ? "" : endpoint.error().message();
  }

  std::string directory_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Networks> networks_;
};

/// A machine on a cable: 10.9.0.2, the host is 10.9.0.1 and its way to everything.
struct OutsideMachine : Namespace {
  OutsideMachine() {
    auto host = sys::open_netlink(sys::NetlinkFamily::Route);
    sys::RouteBatch batch;
    batch.add_veth("cable", 0, "eth0", "02:00:00:00:00:02", ns.get(), 0);
    batch.set_up("cable");
    EXPECT_TRUE(batch.run(host->get()));
    sys::RouteBatch address;
    address.add_address(*sys::find_link_index(host->get(), "cable"), *parse_ipv4("10.9.0.1"), 24);
    EXPECT_TRUE(address.run(host->get()));
    sys::RouteBatch inside;
    inside.set_up("eth0");
    inside.add_address(*sys::find_link_index(netlink.get(), "eth0"), *parse_ipv4("10.9.0.2"), 24);
    inside.add_default_route(*parse_ipv4("10.9.0.1"));
    EXPECT_TRUE(inside.run(netlink.get()));
    sys::RouteBatch settle;
    settle.settle_carrier("cable");
    EXPECT_TRUE(settle.run(host->get()));
  }
  ~OutsideMachine() {
    auto host = sys::open_netlink(sys::NetlinkFamily::Route);
    sys::RouteBatch batch;
    batch.delete_link("cable");
    EXPECT_TRUE(batch.run(host->get()));
  }
};

TEST_F(NetworksTest, two_containers_reach_each_other) {
  Namespace first, second;
  Endpoint one = attach(first), two = attach(second);
  EXPECT_NE(one.ip_address, two.ip_address);
  Server server(first, 80);
  EXPECT_EQ(talk(second.socket(AF_INET, SOCK_STREAM), one.ip_address, 80), two.ip_address + "\nhello");
}

TEST_F(NetworksTest, published_port_answers_from_everywhere) {
  Namespace container, neighbour;
  OutsideMachine outside;
  Endpoint endpoint = attach(container, {{"tcp", 80, "", 8080}});
  attach(neighbour);
  Server server(container, 80);
  EXPECT_EQ(talk(outside.socket(AF_INET, SOCK_STREAM), "10.9.0.1", 8080), "10.9.0.2\nhello");
  EXPECT_EQ(talk(host_socket(AF_INET, SOCK_STREAM), "10.9.0.1", 8080), "10.9.0.1\nhello");
  EXPECT_EQ(talk(host_socket(AF_INET, SOCK_STREAM), "127.0.0.1", 8080), endpoint.gateway + "\nhello");
  EXPECT_EQ(talk(neighbour.socket(AF_INET, SOCK_STREAM), endpoint.gateway, 8080), endpoint.gateway + "\nhello");
  EXPECT_EQ(talk(container.socket(AF_INET, SOCK_STREAM), "10.9.0.1", 8080), endpoint.gateway + "\nhello");
}

TEST_F(NetworksTest, localhost_by_ipv6_is_relayed) {
  Namespace container;
  Endpoint endpoint = attach(container, {{"tcp", 80, "", 8080}});
  Server server(container, 80);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(8080);
  address.sin6_addr = in6addr_loopback;
  std::string answer =
      talk_to(host_socket(AF_INET6, SOCK_STREAM), reinterpret_cast<sockaddr*>(&address), sizeof address, "hello");
  EXPECT_EQ(answer, endpoint.gateway + "\nhello");
}

/// What nft(8) says: the tests may ask the tool that the product does without.
std::string run_nft(std::vector<std::string> arguments) {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  sys::Fd read(fds[0]), write(fds[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, write.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, write.get(), 2);
  arguments.insert(arguments.begin(), "nft");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  EXPECT_EQ(::posix_spawnp(&pid, "nft", &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  write.reset();
  auto out = sys::read_fd(read.get());
  int status = -1;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  return out ? *out : "";
}

std::string list_rules() {
  return run_nft({"list", "ruleset"});
}

TEST_F(NetworksTest, unpublished_port_is_closed_to_neighbours_of_the_host) {
  Namespace container;
  OutsideMachine outside;
  Endpoint endpoint = attach(container);
  Server server(container, 80);
  EXPECT_EQ(talk(outside.socket(AF_INET, SOCK_STREAM), endpoint.ip_address, 80), "");
  EXPECT_EQ(talk(host_socket(AF_INET, SOCK_STREAM), endpoint.ip_address, 80), endpoint.gateway + "\nhello");
}

TEST_F(NetworksTest, container_goes_out_with_the_hosts_address) {
  Namespace container;
  OutsideMachine outside;
  attach(container);
  Server server(outside, 80);
  EXPECT_EQ(talk(container.socket(AF_INET, SOCK_STREAM), "10.9.0.2", 80), "10.9.0.1\nhello");
}

TEST_F(NetworksTest, container_does_not_reach_the_hosts_loopback) {
  Namespace container;
  attach(container);
  sys::Fd listener = host_socket(AF_INET, SOCK_STREAM);
  auto address = address_of("127.0.0.1", 7777);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  sys::RouteBatch loose;  // the container's own lo would take the packet
  loose.delete_address(1, *parse_ipv4("127.0.0.1"), 8);
  ASSERT_TRUE(loose.run(container.netlink.get()));
  EXPECT_EQ(talk(container.socket(AF_INET, SOCK_STREAM), "127.0.0.1", 7777), "");
}

TEST_F(NetworksTest, networks_are_isolated_and_internal_ones_have_no_way_out) {
  OutsideMachine outside;
  Namespace first, second, third;
  ASSERT_TRUE(networks_->create({.name = "blue"}));
  ASSERT_TRUE(networks_->create({.name = "inner", .internal = true}));
  Endpoint one = attach(first), two = attach(second, {}, "blue"),
           three = attach(third, {{"tcp", 80, "", 8090}}, "inner");
  EXPECT_EQ(three.gateway, "");
  EXPECT_TRUE(three.ports.empty());
  Server at_one(first, 80), at_outside(outside, 80);
  EXPECT_EQ(talk(second.socket(AF_INET, SOCK_STREAM), one.ip_address, 80), "");
  sys::RouteBatch stubborn;
  stubborn.add_default_route(*parse_ipv4(networks_->get("inner")->gateway));
  ASSERT_TRUE(stubborn.run(third.netlink.get()));
  EXPECT_EQ(talk(third.socket(AF_INET, SOCK_STREAM), "10.9.0.2", 80), "");
  EXPECT_EQ(talk(second.socket(AF_INET, SOCK_STREAM), "10.9.0.2", 80), "10.9.0.1\nhello");
}

TEST_F(NetworksTest, isolated_ports_do_not_reach_each_other) {
  Namespace first, second;
  ASSERT_TRUE(networks_->create({.name = "quiet", .options = {{"com.docker.network.bridge.enable_icc", "false"}}}));
  Endpoint one = attach(first, {}, "quiet");
  attach(second, {}, "quiet");
  Server server(first, 80);
  EXPECT_EQ(talk(second.socket(AF_INET, SOCK_STREAM), one.ip_address, 80), "");
}

TEST_F(NetworksTest, port_conflicts_speak_as_docker_does) {
  Namespace first, second;
  attach(first, {{"tcp", 80, "", 8080}});
  EXPECT_THAT(attach_error(second, {{"tcp", 80, "", 8080}}),
              ::testing::HasSubstr("Bind for 0.0.0.0:8080 failed: port is already allocated"));
  EXPECT_THAT(attach_error(second, {{"tcp", 80, "127.0.0.1", 8080}}),
              ::testing::HasSubstr("Bind for 127.0.0.1:8080 failed: port is already allocated"));
  sys::Fd other = host_socket(AF_INET, SOCK_STREAM);
  auto address = address_of("0.0.0.0", 8081);
  ASSERT_EQ(::bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(other.get(), 1), 0);
  EXPECT_THAT(attach_error(second, {{"tcp", 80, "", 8081}}),
              ::testing::HasSubstr("failed to bind port 0.0.0.0:8081/tcp: listen tcp4 0.0.0.0:8081: bind: address "
                                   "already in use"));
  EXPECT_EQ(count_links("vsp-"), 1u);
  EXPECT_EQ(networks_->endpoints(networks_->get("bridge")->id).size(), 1u);
  attach(second, {{"udp", 80, "", 8080}});
}

TEST_F(NetworksTest, chosen_ports_are_in_the_ephemeral_range_and_differ) {
  Namespace container;
  Endpoint endpoint = attach(container, {{"tcp", 80, "", 0}, {"tcp", 81, "", 0}});
  ASSERT_EQ(endpoint.ports.size(), 2u);
  EXPECT_GE(endpoint.ports[0].host_port, 32768);
  EXPECT_NE(endpoint.ports[0].host_port, endpoint.ports[1].host_port);
}

TEST_F(NetworksTest, detach_leaves_nothing) {
  Namespace container;
  Endpoint endpoint = attach(container, {{"tcp", 80, "", 8080}, {"udp", 53, "127.0.0.1", 5353}});
  EXPECT_THAT(list_rules(), ::testing::HasSubstr("tcp . 8080 : " + endpoint.ip_address));
  EXPECT_THAT(list_rules(), ::testing::HasSubstr("127.0.0.1 . udp . 5353"));
  ASSERT_TRUE(networks_->detach(endpoint));
  EXPECT_EQ(count_links("vsp-"), 0u);
  EXPECT_THAT(list_rules(), ::testing::Not(::testing::HasSubstr("8080")));
  EXPECT_THAT(list_rules(), ::testing::Not(::testing::HasSubstr("5353")));
  EXPECT_TRUE(networks_->detach(endpoint));
  EXPECT_TRUE(networks_->endpoints(endpoint.network_id).empty());
  sys::Fd free = host_socket(AF_INET, SOCK_STREAM);
  auto address = address_of("0.0.0.0", 8080);
  EXPECT_EQ(::bind(free.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

TEST_F(NetworksTest, failed_attach_leaves_nothing) {
  Namespace container;
  attach(container);
  AttachRequest request;
  request.network = "bridge";
  request.ports = {{"tcp", 80, "", 8080}};
  EXPECT_FALSE(networks_->attach(request, container.ns, container.netlink));  // eth0 is there already
  EXPECT_EQ(count_links("vsp-"), 1u);
  EXPECT_THAT(list_rules(), ::testing::Not(::testing::HasSubstr("8080")));
  EXPECT_EQ(networks_->endpoints(networks_->get("bridge")->id).size(), 1u);
}

TEST_F(NetworksTest, ports_survive_the_daemon) {
  Namespace container;
  Endpoint endpoint = attach(container, {{"tcp", 80, "", 8080}});
  Server server(container, 80);
  reopen({endpoint});
  EXPECT_EQ(talk(host_socket(AF_INET, SOCK_STREAM), "127.0.0.1", 8080), endpoint.gateway + "\nhello");
  Namespace second;
  EXPECT_THAT(attach_error(second, {{"tcp", 80, "", 8080}}), ::testing::HasSubstr("port is already allocated"));
  EXPECT_NE(attach(second).ip_address, endpoint.ip_address);
}

TEST_F(NetworksTest, recovery_removes_what_no_live_container_has) {
  Namespace container;
  attach(container, {{"tcp", 80, "", 8080}});
  reopen({});
  EXPECT_EQ(count_links("vsp-"), 0u);
  EXPECT_THAT(list_rules(), ::testing::Not(::testing::HasSubstr("8080")));
  Namespace second;
  attach(second, {{"tcp", 80, "", 8080}});
}

TEST_F(NetworksTest, the_daemons_configuration_shapes_new_networks_and_the_default_bridge) {
  NetworksOptions options;
  options.pools = {{"10.77.0.0/16", 24}};
  options.network_options = {{"com.docker.network.driver.mtu", "1400"}};
  options.bridge_options = {{"com.docker.network.bridge.enable_icc", "false"}};
  ASSERT_TRUE(networks_->teardown());
  reopen({}, options);
  auto made = networks_->create({.name = "a"});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->subnet, "10.77.0.0/24");
  EXPECT_EQ(made->options["com.docker.network.driver.mtu"], "1400");
  auto own = networks_->create({.name = "b", .options = {{"com.docker.network.driver.mtu", "1300"}}});
  ASSERT_TRUE(own);
  EXPECT_EQ(own->subnet, "10.77.1.0/24");
  EXPECT_EQ(own->options["com.docker.network.driver.mtu"], "1300");
  EXPECT_EQ(networks_->get("bridge")->options["com.docker.network.bridge.enable_icc"], "false");
  ASSERT_TRUE(networks_->teardown());
  reopen({});  // what was configured once is not for ever
  EXPECT_EQ(networks_->get("bridge")->options["com.docker.network.bridge.enable_icc"], "true");
}

TEST_F(NetworksTest, identities_and_subnets_survive_the_daemon) {
  auto created = networks_->create({.name = "blue", .subnet = "10.77.0.0/24", .labels = {{"a", "b"}}});
  ASSERT_TRUE(created) << created.error().message();
  auto before = networks_->list();
  reopen({});
  auto after = networks_->list();
  ASSERT_EQ(after.size(), 4u);
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].id, before[i].id);
    EXPECT_EQ(after[i].subnet, before[i].subnet);
  }
  EXPECT_EQ(networks_->get("blue")->labels.at("a"), "b");
  EXPECT_EQ(networks_->get(created->id.substr(0, 5))->name, "blue");
}

TEST_F(NetworksTest, removal_is_refused_for_builtin_and_busy_networks) {
  auto refused = networks_->remove("bridge");
  EXPECT_EQ(refused.error().message(), "bridge is a pre-defined network and cannot be removed");
  EXPECT_EQ(refused.error().code(), Code::PermissionDenied);
  auto blue = networks_->create({.name = "blue"});
  Namespace container;
  Endpoint endpoint = attach(container, {}, "blue");
  EXPECT_EQ(networks_->remove("blue").error().message(),
            "error while removing network: network blue id " + blue->id + " has active endpoints");
  ASSERT_TRUE(networks_->detach(endpoint));
  EXPECT_TRUE(networks_->remove("blue"));
  EXPECT_EQ(count_links(blue->bridge), 0u);
  EXPECT_EQ(networks_->get("blue").error().code(), Code::NotFound);
}

TEST_F(NetworksTest, wanted_address_and_mac_are_honoured) {
  ASSERT_TRUE(networks_->create({.name = "blue", .subnet = "10.77.0.0/24"}));
  Namespace first, second;
  AttachRequest request;
  request.network = "blue";
  request.wanted_ip = "10.77.0.50";
  request.wanted_mac = "02:00:00:00:00:99";
  auto endpoint = networks_->attach(request, first.ns, first.netlink);
  ASSERT_TRUE(endpoint) << endpoint.error().message();
  EXPECT_EQ(endpoint->ip_address, "10.77.0.50");
  EXPECT_EQ(endpoint->mac_address, "02:00:00:00:00:99");
  EXPECT_EQ(networks_->attach(request, second.ns, second.netlink).error().message(), "Address already in use");
}

TEST_F(NetworksTest, teardown_removes_every_trace) {
  Namespace container;
  attach(container, {{"tcp", 80, "", 8080}});
  ASSERT_TRUE(networks_->create({.name = "blue"}));
  ASSERT_TRUE(networks_->teardown());
  EXPECT_EQ(count_links("vsp-") + count_links("sp-") + count_links("sampan"), 0u);
  EXPECT_THAT(list_rules(), ::testing::Not(::testing::HasSubstr("sampan")));
}

std::string dns_query(const std::string& name, uint16_t type) {
  std::string out("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  for (const auto& label : split(name, '.')) out += static_cast<char>(label.size()) + label;
  out.push_back('\0');
  return out + std::string{static_cast<char>(type >> 8), static_cast<char>(type & 255), 0, 1};
}

std::string ask_udp(const sys::Fd& socket, const std::string& server, const std::string& query) {
  auto address = address_of(server, 53);
  if (::sendto(socket.get(), query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&address), sizeof address) <
      0) {
    return "";
  }
  char buffer[2048];
  ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, 0);
  return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : "";
}

/// "rcode answers [last four bytes as an address]"
std::string summary(const std::string& answer) {
  if (answer.size() < 12) return "none";
  std::string out = fmt::format("rcode {} answers {}", answer[3] & 15, static_cast<uint8_t>(answer[7]));
  if (answer[7] == 0) return out;
  Ipv4 last = 0;
  for (char c : answer.substr(answer.size() - 4)) last = last << 8 | static_cast<uint8_t>(c);
  return out + " " + format_ipv4(last);
}

/// A resolver on the host's loopback: answers every query with 9.9.9.9.
class Upstream {
 public:
  Upstream() : socket_(host_socket(AF_INET, SOCK_DGRAM)) {
    auto address = address_of("127.0.0.1", 5300);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Upstream() {
    stop_ = true;
    thread_.join();
  }

 private:
  void serve() {
    while (!stop_) {
      pollfd wait{socket_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 20) <= 0) continue;
      char buffer[2048];
      sockaddr_in from{};
      socklen_t length = sizeof from;
      ssize_t got = ::recvfrom(socket_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (got <= 0) continue;
      std::string query(buffer, static_cast<size_t>(got));
      std::string answer = format_dns_addresses(query, parse_question(query)->end, {*parse_ipv4("9.9.9.9")});
      (void)::sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
  }
  sys::Fd socket_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(NetworksTest, names_resolve_on_user_defined_networks) {
  Upstream upstream;
  reopen({}, {.upstream_dns = {"127.0.0.1:5300"}});
  auto blue = networks_->create({.name = "blue"});
  Namespace first, second;
  Endpoint web = attach(first, {}, "blue", "web"), app = attach(second, {}, "blue", "app");
  EXPECT_EQ(networks_->nameserver(blue->id), blue->gateway);
  sys::Fd socket = second.socket(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(summary(ask_udp(socket, blue->gateway, dns_query("web", 1))), "rcode 0 answers 1 " + web.ip_address);
  EXPECT_EQ(summary(ask_udp(socket, blue->gateway, dns_query("WEB.blue", 1))), "rcode 0 answers 1 " + web.ip_address);
  EXPECT_EQ(summary(ask_udp(socket, blue->gateway, dns_query("web", 28))), "rcode 0 answers 0");
  EXPECT_EQ(summary(ask_udp(socket, blue->gateway, dns_query("example.com", 1))), "rcode 0 answers 1 9.9.9.9");
  networks_->rename(web.container_id, "shop");
  EXPECT_EQ(summary(ask_udp(socket, blue->gateway, dns_query("shop", 1))), "rcode 0 answers 1 " + web.ip_address);
  ASSERT_TRUE(networks_->detach(web));
  EXPECT_EQ(summary(ask_udp(socket, blue->gateway, dns_query("shop", 1))), "rcode 0 answers 1 9.9.9.9");
}

TEST_F(NetworksTest, names_resolve_over_tcp) {
  auto blue = networks_->create({.name = "blue"});
  Namespace container;
  Endpoint web = attach(container, {}, "blue", "web");
  std::string query = dns_query("web", 1);
  std::string framed = std::string{0, static_cast<char>(query.size())} + query;
  sys::Fd socket = container.socket(AF_INET, SOCK_STREAM);
  auto address = address_of(blue->gateway, 53);
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_TRUE(sys::write_all(socket.get(), framed));
  char buffer[512];
  ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, 0);
  ASSERT_GT(got, 2);
  EXPECT_EQ(summary(std::string(buffer + 2, static_cast<size_t>(got - 2))), "rcode 0 answers 1 " + web.ip_address);
}

TEST_F(NetworksTest, internal_networks_ask_nobody_outside) {
  Upstream upstream;
  reopen({}, {.upstream_dns = {"127.0.0.1:5300"}});
  auto inner = networks_->create({.name = "inner", .internal = true});
  Namespace container;
  Endpoint web = attach(container, {}, "inner", "web");
  sys::Fd socket = container.socket(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(summary(ask_udp(socket, inner->gateway, dns_query("web", 1))), "rcode 0 answers 1 " + web.ip_address);
  EXPECT_EQ(summary(ask_udp(socket, inner->gateway, dns_query("example.com", 1))), "rcode 2 answers 0");
}

TEST_F(NetworksTest, default_bridge_forwards_only_and_says_so) {
  auto bridge = networks_->get("bridge");
  EXPECT_EQ(networks_->nameserver(bridge->id), "");
  EXPECT_EQ(networks_->resolver_address(bridge->id), bridge->gateway);
  Namespace container;
  Endpoint web = attach(container);
  sys::Fd socket = container.socket(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(summary(ask_udp(socket, bridge->gateway, dns_query("web", 1))), "rcode 2 answers 0");  // no upstream here
}

TEST_F(NetworksTest, container_may_publish_the_dns_port) {
  auto blue = networks_->create({.name = "blue"});
  Namespace container;
  Endpoint hole = attach(container, {{"udp", 53, "", 53}, {"tcp", 53, "", 53}}, "blue", "hole");
  ASSERT_EQ(hole.ports.size(), 2u);
  sys::Fd socket = container.socket(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(summary(ask_udp(socket, blue->gateway, dns_query("hole", 1))), "rcode 0 answers 1 " + hole.ip_address);
}

TEST_F(NetworksTest, flushed_rules_come_back) {
  Namespace container;
  Endpoint endpoint = attach(container, {{"tcp", 80, "", 8080}});
  run_nft({"flush", "ruleset"});
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (!*sys::nft_table_exists("sampan") && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_THAT(list_rules(), ::testing::HasSubstr("tcp . 8080 : " + endpoint.ip_address));
}

TEST_F(NetworksTest, udp_client_that_came_too_early_is_served_later) {
  Namespace container;
  OutsideMachine outside;
  sys::Fd client = outside.socket(AF_INET, SOCK_DGRAM);
  auto published = address_of("10.9.0.1", 5353);
  auto send = [&] {
    return ::sendto(client.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&published), sizeof published);
  };
  ASSERT_EQ(send(), 1);  // a flow to nobody is in the connection table now
  Endpoint endpoint = attach(container, {{"udp", 53, "", 5353}});
  sys::Fd server = container.socket(AF_INET, SOCK_DGRAM);
  auto where = address_of("0.0.0.0", 53);
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  (void)send();  // takes the "port unreachable" that answered the first one
  (void)send();
  char byte = 0;
  EXPECT_EQ(::recv(server.get(), &byte, 1, 0), 1);
}

TEST_F(NetworksTest, daemons_share_a_host) {
  Namespace first, second;
  attach(first, {{"tcp", 80, "", 8080}});
  auto other_store = std::move(*store::open_store(directory_ + "/other"));
  auto other = std::move(*open_networks(*other_store, {.instance = "a1b2c3"}));
  ASSERT_TRUE(other->recover({}));
  EXPECT_NE(other->get("bridge")->subnet, networks_->get("bridge")->subnet);
  AttachRequest request;
  request.network = "bridge";
  request.ports = {{"tcp", 80, "", 8080}};
  EXPECT_THAT(other->attach(request, second.ns, second.netlink).error().message(),
              ::testing::HasSubstr("address already in use"));
  ASSERT_TRUE(other->teardown());
  EXPECT_EQ(count_links("vsp-"), 1u);
  EXPECT_THAT(list_rules(), ::testing::HasSubstr("8080"));
}

}  // namespace
}  // namespace sampan::network
