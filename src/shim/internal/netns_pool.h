#pragma once
// shim/netns_pool: network namespaces made before they are asked for. Each is made by a short-lived child, for the
// zygote itself must stay in the daemon's network namespace. With mappings, each belongs to a user namespace of its
// own.

#include <poll.h>

#include <deque>
#include <vector>

#include "base/result.h"
#include "oci/user_mappings.h"
#include "sys/fd.h"

namespace sampan::shim {

class NetnsPool {
 public:
  explicit NetnsPool(oci::UserMappings owner = {}) : owner_(std::move(owner)) {}
  const oci::UserMappings& owner() const { return owner_; }
  /// Answers on `reply` now, or as soon as a namespace is there.
  void request(sys::Fd reply);
  /// Starts a child for a namespace that is missing. `idle`: also for the reserve.
  void refill(bool idle);
  /// Descriptors of the children at work; readable when one has finished.
  void add_poll_fds(std::vector<pollfd>& out) const;
  void on_ready(int fd);
  bool full() const { return ready_.size() + makers_.size() >= kReserve; }

 private:
  struct Ready {
    sys::Fd ns, netlink;
  };
  void answer_waiting();
  void start_maker();

  static constexpr size_t kReserve = 8;
  static constexpr size_t kMaxMakers = 2;  // the kernel serialises most of the work anyway
  oci::UserMappings owner_;
  std::deque<Ready> ready_;
  std::vector<sys::Fd> makers_;
  std::deque<sys::Fd> waiting_;
};

}  // namespace sampan::shim
