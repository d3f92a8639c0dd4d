#include "sys/net_namespace.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::sys {

namespace {

Result<Fd> open_netlink() {
  Fd out(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!out.valid()) return sys_error("socket AF_NETLINK");
  return out;
}

}  // namespace

Result<Fd> open_netlink_in(int fd) {
  TRY(set_namespaces(fd, ns::kNet));
  return open_netlink();
}

Result<NetNamespace> unshare_net_namespace() {
  TRY(unshare_namespaces(ns::kNet));
  TRY(bring_loopback_up());
  NetNamespace out;
  out.netlink = TRY(open_netlink());
  auto ns = TRY(open_file("/proc/self/ns/net", O_RDONLY));
  out.ns = std::move(ns).as<NsFdTag>();
  return out;
}

}  // namespace sampan::sys
