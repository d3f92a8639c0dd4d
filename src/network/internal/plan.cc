#include "network/internal/plan.h"

#include "network/internal/records.h"
#include "sys/rtnetlink.h"

namespace sampan::network {

namespace {

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

/// Inside there is only an index to address the new interface by, and the kernel chose it.
Result<int> inside_index(const std::vector<Change>& plan, int netlink_inside) {
  for (const auto& change : plan) {
    if (const auto* veth = std::get_if<AddVeth>(&change)) {
      return sys::find_link_index(netlink_inside, veth->inside_interface);
    }
  }
  return fail(Code::Internal, "a plan without a link");
}

sys::RouteBatch batch_outside(const std::vector<Change>& plan, int bridge_index, int ns) {
  sys::RouteBatch batch;
  for (const auto& change : plan) {
    std::visit(Overloaded{
                   [&](const AddVeth& c) {
                     batch.add_veth(c.host_interface, bridge_index, c.inside_interface, c.mac, ns, c.mtu);
                     batch.no_ipv6_addresses(c.host_interface);
                   },
                   [&](const SetBridgePort& c) { batch.set_port(c.host_interface, {c.isolated, c.hairpin}); },
                   [&](const BringUpOutside& c) { batch.set_up(c.host_interface); },
                   [](const auto&) {},
               },
               change);
  }
  return batch;
}

sys::RouteBatch batch_inside(const std::vector<Change>& plan, int link_index) {
  sys::RouteBatch batch;
  for (const auto& change : plan) {
    std::visit(Overloaded{
                   [&](const BringUpInside& c) {
                     if (!c.ipv6) batch.no_ipv6_addresses(c.interface);
                     batch.set_up(c.interface);
                   },
                   [&](const AddAddressInside& c) { batch.add_address(link_index, c.address, c.prefix_len); },
                   [&](const AddDefaultRouteInside& c) { batch.add_default_route(c.gateway); },
                   [](const auto&) {},
               },
               change);
  }
  return batch;
}

/// The inside came up second and is live already; the outside and, with its first port, the bridge may lag.
sys::RouteBatch batch_settle(const std::vector<Change>& plan) {
  sys::RouteBatch batch;
  for (const auto& change : plan) {
    if (const auto* veth = std::get_if<AddVeth>(&change)) {
      batch.settle_carrier(veth->host_interface);
      batch.settle_carrier(veth->bridge);
    }
  }
  return batch;
}

Result<void> apply_links(const std::vector<Change>& plan, int bridge_index, int outside, int ns, int inside) {
  auto first = batch_outside(plan, bridge_index, ns);
  TRY(first.run(outside));
  int link_index = TRY(inside_index(plan, inside));
  auto second = batch_inside(plan, link_index);
  TRY(second.run(inside));
  auto last = batch_settle(plan);
  return last.run(outside);
}

void undo_attach(const std::vector<Change>& plan, int outside) {
  sys::RouteBatch batch;
  for (const auto& change : plan) {
    if (const auto* veth = std::get_if<AddVeth>(&change)) batch.delete_link(veth->host_interface);
  }
  (void)batch.run(outside);  // the first error is the one to report; recover() removes links of nobody
}

}  // namespace

std::vector<PublishedPort> published_ports(const Endpoint& endpoint) {
  std::vector<PublishedPort> out;
  auto target = parse_ipv4(endpoint.ip_address);
  if (!target) return out;
  for (const auto& mapping : endpoint.ports) {
    bool everywhere = mapping.host_ip.empty() || mapping.host_ip == "0.0.0.0";
    auto host_ip = everywhere ? std::optional<Ipv4>(0) : parse_ipv4(mapping.host_ip);
    auto protocol = parse_protocol(mapping.protocol);
    if (!host_ip || !protocol) continue;
    out.push_back({*protocol, *host_ip, mapping.host_port, *target, mapping.container_port});
  }
  return out;
}

std::vector<Change> plan_attach(const NetworkRecord& network, const Endpoint& endpoint, DefaultRoute route) {
  std::vector<Change> plan;
  plan.push_back(
      AddVeth{endpoint.host_interface, network.bridge, endpoint.interface_name, endpoint.mac_address, mtu_of(network)});
  auto ports = published_ports(endpoint);
  // Where br_netfilter is loaded, the bridge itself translates what a container sends to its own published port, and
  // must then send it back where it came from.
  SetBridgePort port{endpoint.host_interface, !is_option_on(network, kOptionIcc), !ports.empty()};
  if (port.isolated || port.hairpin) plan.push_back(port);
  plan.push_back(BringUpOutside{endpoint.host_interface});
  plan.push_back(BringUpInside{endpoint.interface_name, network.enable_ipv6});
  plan.push_back(
      AddAddressInside{endpoint.interface_name, parse_ipv4(endpoint.ip_address).value_or(0), endpoint.prefix_len});
  auto gateway = parse_ipv4(endpoint.gateway);
  if (gateway && route == DefaultRoute::Yes) plan.push_back(AddDefaultRouteInside{*gateway});
  for (const auto& published : ports) plan.push_back(PublishPort{published});
  return plan;
}

std::string format_change(const Change& change) {
  return std::visit(
      Overloaded{
          [](const AddVeth& c) {
            return fmt::format("add veth {} to {}, {} {} inside{}", c.host_interface, c.bridge, c.inside_interface,
                               c.mac, c.mtu ? fmt::format(", mtu {}", c.mtu) : "");
          },
          [](const SetBridgePort& c) {
            return fmt::format("set port {}{}{}", c.host_interface, c.isolated ? " isolated" : "",
                               c.hairpin ? " hairpin" : "");
          },
          [](const BringUpOutside& c) { return fmt::format("bring up {}", c.host_interface); },
          [](const BringUpInside& c) {
            return fmt::format("bring up {} inside{}", c.interface, c.ipv6 ? ", with IPv6" : "");
          },
          [](const AddAddressInside& c) {
            return fmt::format("add {}/{} to {} inside", format_ipv4(c.address), c.prefix_len, c.interface);
          },
          [](const AddDefaultRouteInside& c) {
            return fmt::format("add default route by {} inside", format_ipv4(c.gateway));
          },
          [](const PublishPort& c) {
            return fmt::format("publish {}:{}/{} to {}:{}", format_ipv4(c.port.host_ip), c.port.host_port,
                               protocol_name(c.port.protocol), format_ipv4(c.port.target), c.port.target_port);
          },
      },
      change);
}

Result<void> apply_attach(const std::vector<Change>& plan, int bridge_index, const sys::NsFd& ns,
                          const sys::Fd& netlink_inside, const PublishPorts& publish) {
  auto outside = TRY(sys::open_netlink(sys::NetlinkFamily::Route));
  std::vector<PublishedPort> ports;
  for (const auto& change : plan) {
    if (const auto* publish = std::get_if<PublishPort>(&change)) ports.push_back(publish->port);
  }
  auto done = apply_links(plan, bridge_index, outside.get(), ns.get(), netlink_inside.get());
  if (done && !ports.empty()) done = publish(ports);
  if (!done) undo_attach(plan, outside.get());
  return done;
}

}  // namespace sampan::network
