#pragma once
// sys/netlink: messages to the kernel's netlink families, built by hand and sent many at a time.
//
// A batch is one buffer of messages and one sendmsg(2). rtnetlink runs each message on its own and answers each;
// nftables runs the whole batch as one transaction. Requests that are not dumps are answered before sendmsg returns, so
// reading never waits.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

enum class NetlinkFamily { Route, Netfilter };
/// A bound socket of the family in the caller's network namespace, with extended error texts.
Result<Fd> open_netlink(NetlinkFamily family);

/// Builds messages one after another; begin() closes the message before.
class NetlinkBatch {
 public:
  void begin(uint16_t type, uint16_t flags, std::string_view family_header);
  void put(uint16_t attribute, std::string_view bytes);
  void put_string(uint16_t attribute, std::string_view text);  // with the final NUL
  void put_u8(uint16_t attribute, uint8_t value);
  void put_u16(uint16_t attribute, uint16_t value);
  void put_u32(uint16_t attribute, uint32_t value);
  void put_be32(uint16_t attribute, uint32_t value);
  void put_raw(std::string_view bytes);  // bytes inside a nest that are not an attribute
  /// Everything put until the returned position is closed lies inside the attribute.
  size_t open_nest(uint16_t attribute);
  void close_nest(size_t position);

  size_t size() const { return starts_.size(); }
  bool empty() const { return starts_.empty(); }

 private:
  friend Result<std::vector<struct NetlinkFailure>> exchange_netlink(int fd, NetlinkBatch& batch);
  friend Result<void> dump_netlink(int fd, NetlinkBatch& request,
                                   const std::function<void(uint16_t, std::string_view)>& visit);
  void finish();
  uint32_t number();  // gives the messages their sequence numbers, returns the first

  std::string bytes_;
  std::vector<size_t> starts_;
};

struct NetlinkFailure {
  size_t index;        // of the message in its batch
  int err;             // errno
  std::string detail;  // the kernel's own words, often empty
};

/// Sends the batch and returns what the kernel refused; an empty list is success.
/// Errors: errno of sendmsg or recvmsg.
Result<std::vector<NetlinkFailure>> exchange_netlink(int fd, NetlinkBatch& batch);
/// Sends one dump request and visits (message type, bytes behind the netlink header) of every answer.
Result<void> dump_netlink(int fd, NetlinkBatch& request, const std::function<void(uint16_t, std::string_view)>& visit);
/// Visits (message type, body) of every message in one datagram.
void visit_netlink_messages(std::string_view bytes, const std::function<void(uint16_t, std::string_view)>& visit);
/// Visits the attributes in `bytes`; malformed rests are ignored.
void visit_attributes(std::string_view bytes, const std::function<void(uint16_t, std::string_view)>& visit);

}  // namespace sampan::sys
