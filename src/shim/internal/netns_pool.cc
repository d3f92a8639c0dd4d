#include "shim/internal/netns_pool.h"

#include <unistd.h>

#include "runtime/runtime.h"
#include "shim/messages.h"
#include "sys/error.h"
#include "sys/net_namespace.h"
#include "sys/packet.h"
#include "sys/process.h"

namespace sampan::shim {

namespace {

Result<sys::NetNamespace> make_owned(const oci::UserMappings& owner) {
  if (!owner.empty()) {
    auto userns = TRY(runtime::make_user_namespace(owner));
    TRY(sys::set_namespaces(userns.get(), sys::ns::kUser));
  }
  return sys::unshare_net_namespace();
}

/// The child's whole life: one namespace, or its error as a Reply.
void make_and_send(int socket, const oci::UserMappings& owner) {
  auto made = make_owned(owner);
  if (!made) {
    (void)sys::send_packet(socket, format_reply(reply_of(made.error())));
    return;
  }
  int fds[] = {made->ns.get(), made->netlink.get()};
  (void)sys::send_packet(socket, format_reply({}), fds);
}

}  // namespace

void NetnsPool::request(sys::Fd reply) {
  waiting_.push_back(std::move(reply));
  answer_waiting();
  refill(false);
}

void NetnsPool::answer_waiting() {
  while (!waiting_.empty() && !ready_.empty()) {
    int fds[] = {ready_.front().ns.get(), ready_.front().netlink.get()};
    // A caller that has gone does not cost a namespace.
    if (sys::send_packet(waiting_.front().get(), format_reply({}), fds)) ready_.pop_front();
    waiting_.pop_front();
  }
}

void NetnsPool::refill(bool idle) {
  size_t wanted = waiting_.size() + (idle ? kReserve : 0);
  while (ready_.size() + makers_.size() < wanted && makers_.size() < kMaxMakers) {
    size_t before = makers_.size();
    start_maker();
    if (makers_.size() == before) return;
  }
}

void NetnsPool::start_maker() {
  auto pair = sys::make_packet_pair();
  pid_t child = pair ? ::fork() : -1;
  if (child == 0) {
    make_and_send(pair->second.get(), owner_);
    ::_exit(0);
  }
  if (child > 0) {
    makers_.push_back(std::move(pair->first));
    return;
  }
  if (waiting_.empty() || !makers_.empty()) return;
  Error error = pair ? sys::sys_error("fork") : std::move(pair).error();
  (void)sys::send_packet(waiting_.front().get(), format_reply(reply_of(error)));
  waiting_.pop_front();
}

void NetnsPool::add_poll_fds(std::vector<pollfd>& out) const {
  for (const auto& maker : makers_) out.push_back({maker.get(), POLLIN, 0});
}

void NetnsPool::on_ready(int fd) {
  auto maker = std::ranges::find_if(makers_, [&](const sys::Fd& socket) { return socket.get() == fd; });
  if (maker == makers_.end()) return;
  auto packet = sys::receive_packet(fd, std::chrono::milliseconds(0));
  makers_.erase(maker);
  if (packet && *packet && (*packet)->fds.size() == 2) {
    ready_.push_back({std::move((*packet)->fds[0]), std::move((*packet)->fds[1])});
    answer_waiting();
  } else if (!waiting_.empty()) {
    bool told = packet && *packet && !(*packet)->bytes.empty();
    Error error(Code::Unavailable, "the maker of network namespaces died");
    (void)sys::send_packet(waiting_.front().get(), told ? (*packet)->bytes : format_reply(reply_of(error)));
    waiting_.pop_front();
  }
  refill(false);
}

}  // namespace sampan::shim
