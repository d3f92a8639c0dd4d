#include "sys/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "sys/error.h"
#include "sys/netlink.h"

namespace sampan::sys {

namespace {

uint16_t conntrack_type(int message) {
  return static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message);
}

std::string ipv4_header() {
  nfgenmsg header{AF_INET, NFNETLINK_V0, 0};
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

struct Destination {
  uint8_t protocol = 0;
  uint16_t port = 0;
};

Destination destination_of(std::string_view tuple) {
  Destination out;
  visit_attributes(tuple, [&](uint16_t part, std::string_view value) {
    if (part != CTA_TUPLE_PROTO) return;
    visit_attributes(value, [&](uint16_t field, std::string_view bytes) {
      if (field == CTA_PROTO_NUM && !bytes.empty()) out.protocol = static_cast<uint8_t>(bytes[0]);
      if (field == CTA_PROTO_DST_PORT && bytes.size() >= 2) {
        uint16_t port;
        std::memcpy(&port, bytes.data(), sizeof port);
        out.port = ntohs(port);
      }
    });
  });
  return out;
}

}  // namespace

Result<void> forget_flows(int netlink, uint8_t protocol, const std::function<bool(uint16_t port)>& matches) {
  NetlinkBatch request;
  request.begin(conntrack_type(IPCTNL_MSG_CT_GET), NLM_F_DUMP, ipv4_header());
  std::vector<std::string> tuples;
  TRY(dump_netlink(netlink, request, [&](uint16_t, std::string_view body) {
    if (body.size() < sizeof(nfgenmsg)) return;
    visit_attributes(body.substr(sizeof(nfgenmsg)), [&](uint16_t attribute, std::string_view tuple) {
      if (attribute != CTA_TUPLE_ORIG) return;
      Destination destination = destination_of(tuple);
      if (destination.protocol == protocol && matches(destination.port)) tuples.emplace_back(tuple);
    });
  }));
  // One message each: only nftables takes several nfnetlink requests as a batch.
  for (const auto& tuple : tuples) {
    NetlinkBatch removal;
    removal.begin(conntrack_type(IPCTNL_MSG_CT_DELETE), NLM_F_ACK, ipv4_header());
    size_t nest = removal.open_nest(CTA_TUPLE_ORIG);
    removal.put_raw(tuple);
    removal.close_nest(nest);
    auto failures = TRY(exchange_netlink(netlink, removal));
    for (const auto& failure : failures) {
      if (failure.err != ENOENT) return sys_error_of(failure.err, "delete flow");
    }
  }
  return {};
}

}  // namespace sampan::sys
