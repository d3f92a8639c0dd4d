#include "cli/commands/commands.h"
#include "cli/options/option.h"

namespace sampan::cli {

namespace {

using enum Kind;

constexpr Option kList[] = {
    {"filter", 'f', Filter, "query:filters", "Show only what matches, e.g. driver=bridge"},
    {"format", 0, String, "client:output", "Output format: table, json or a Go template"},
    {"no-trunc", 0, Flag, "client:output", "Do not shorten the output"},
    {"quiet", 'q', Flag, "client:output", "Show only ids"},
};
constexpr Option kInspect[] = {
    {"format", 'f', String, "client:output", "Output format: json or a Go template"},
    {"verbose", 'v', Flag, "query:verbose", "Show more for diagnosis"},
};
constexpr Option kCreate[] = {
    {"attachable", 0, Flag, "body:Attachable", "Let containers be attached by hand"},
    {"aux-address", 0, Map, "body:IPAM.Config", "Addresses that are already in use"},
    {"config-from", 0, String, "body:ConfigFrom.Network", "Network whose configuration is copied"},
    {"config-only", 0, Flag, "body:ConfigOnly", "Make a configuration only"},
    {"driver", 'd', String, "body:Driver", "Driver of the network", "bridge"},
    {"gateway", 0, CommaList, "body:IPAM.Config", "Gateway of a subnet"},
    {"ingress", 0, Flag, "body:Ingress", "Make the routing mesh's network"},
    {"internal", 0, Flag, "body:Internal", "Give no access to the outside"},
    {"ip-range", 0, CommaList, "body:IPAM.Config", "Part of a subnet that addresses are taken from"},
    {"ipam-driver", 0, String, "body:IPAM.Driver", "Driver that hands out addresses", "default"},
    {"ipam-opt", 0, Map, "body:IPAM.Options", "Option for the address driver"},
    {"ipv4", 0, Flag, "body:EnableIPv4", "Hand out IPv4 addresses", "true", "1.48"},
    {"ipv6", 0, Flag, "body:EnableIPv6", "Hand out IPv6 addresses"},
    {"label", 0, Label, "body:Labels", "Put a label on the network"},
    {"opt", 'o', Map, "body:Options", "Option for the driver"},
    {"scope", 0, String, "body:Scope", "Scope of the network"},
    {"subnet", 0, CommaList, "body:IPAM.Config", "Subnet, address/bits"},
};
constexpr Option kConnect[] = {
    {"alias", 0, CommaList, "body:EndpointConfig.Aliases", "Other name of the container in the network"},
    {"driver-opt", 0, CommaList, "body:EndpointConfig.DriverOpts", "Option for the network's driver"},
    {"gw-priority",
     0,
     Int,
     "body:EndpointConfig.GwPriority",
     "The highest one provides the default gateway",
     {},
     "1.48"},
    {"ip", 0, String, "body:EndpointConfig.IPAMConfig", "IPv4 address in the network"},
    {"ip6", 0, String, "body:EndpointConfig.IPAMConfig", "IPv6 address in the network"},
    {"link", 0, List, "body:EndpointConfig.Links", "Link to another container, name:alias"},
    {"link-local-ip", 0, CommaList, "body:EndpointConfig.IPAMConfig", "Link-local address of the container"},
};
constexpr Option kDisconnect[] = {{"force", 'f', Flag, "body:Force", "Disconnect by force"}};
constexpr Option kRemove[] = {
    {"force", 'f', Flag, "client:missing networks are no error", "Say nothing of networks that do not exist"}};
constexpr Option kPrune[] = {
    {"filter", 0, Filter, "query:filters", "Remove only what matches (until=<time>, label=<label>)"},
    {"force", 'f', Flag, "client:no question", "Do not ask"},
};

constexpr Command kCommands[] = {
    {"network ls", "network list", "[OPTIONS]", "List networks", 0, 0, Interspersed::Yes, kList, {}, list_networks},
    {"network inspect",
     "",
     "[OPTIONS] NETWORK [NETWORK...]",
     "Show all about networks",
     1,
     -1,
     Interspersed::Yes,
     kInspect,
     {},
     inspect_networks},
    {"network create",
     "",
     "[OPTIONS] NETWORK",
     "Create a network",
     1,
     1,
     Interspersed::Yes,
     kCreate,
     {},
     create_network},
    {"network rm",
     "network remove",
     "NETWORK [NETWORK...]",
     "Remove networks",
     1,
     -1,
     Interspersed::Yes,
     kRemove,
     {},
     remove_networks},
    {"network connect",
     "",
     "[OPTIONS] NETWORK CONTAINER",
     "Connect a container to a network",
     2,
     2,
     Interspersed::Yes,
     kConnect,
     {},
     connect_network},
    {"network disconnect",
     "",
     "[OPTIONS] NETWORK CONTAINER",
     "Disconnect a container from a network",
     2,
     2,
     Interspersed::Yes,
     kDisconnect,
     {},
     disconnect_network},
    {"network prune",
     "",
     "[OPTIONS]",
     "Remove all unused networks",
     0,
     0,
     Interspersed::Yes,
     kPrune,
     {},
     prune_networks},
};

}  // namespace

std::span<const Command> network_commands() {
  return kCommands;
}

}  // namespace sampan::cli
