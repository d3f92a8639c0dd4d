#include "sys/net_namespace.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::sys {

Result<NetNamespace> unshare_net_namespace() {
  TRY(unshare_namespaces(ns::kNet));
  TRY(bring_loopback_up());
  NetNamespace out;
  out.netlink = Fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!out.netlink.valid()) return sys_error("socket AF_NETLINK");
  auto ns = TRY(open_file("/proc/self/ns/net", O_RDONLY));
  out.ns = std::move(ns).as<NsFdTag>();
  return out;
}

}  // namespace sampan::sys
