#include "sys/netlink.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "sys/error.h"

namespace sampan::sys {

namespace {

constexpr size_t kAlign = 4;
size_t aligned(size_t size) {
  return (size + kAlign - 1) & ~(kAlign - 1);
}

uint32_t take_numbers(uint32_t count) {
  static std::atomic<uint32_t> next{1};
  return next.fetch_add(count, std::memory_order_relaxed);
}

Result<void> send_bytes(int fd, std::string_view bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_name = &kernel;
  message.msg_namelen = sizeof kernel;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  while (::sendmsg(fd, &message, 0) < 0) {
    if (errno != EINTR) return sys_error("sendmsg", "netlink");
  }
  return {};
}

/// One datagram; 0 bytes when nothing is there.
Result<size_t> receive(int fd, std::string& buffer, int flags) {
  for (;;) {
    ssize_t got = ::recv(fd, buffer.data(), buffer.size(), flags);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return size_t{0};
    if (errno != EINTR) return sys_error("recv", "netlink");
  }
}

void visit_messages(std::string_view bytes, const std::function<void(const nlmsghdr&, std::string_view)>& visit) {
  while (bytes.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size()) return;
    visit(header, bytes.substr(sizeof header, header.nlmsg_len - sizeof header));
    bytes.remove_prefix(std::min(bytes.size(), aligned(header.nlmsg_len)));
  }
}

std::string error_text(const nlmsghdr& header, std::string_view body) {
  std::string text;
  if (!(header.nlmsg_flags & NLM_F_ACK_TLVS)) return text;
  size_t skip = sizeof(nlmsgerr);
  if (!(header.nlmsg_flags & NLM_F_CAPPED)) {
    nlmsgerr error;
    std::memcpy(&error, body.data(), sizeof error);
    skip += aligned(error.msg.nlmsg_len) - sizeof(nlmsghdr);
  }
  if (skip >= body.size()) return text;
  visit_attributes(body.substr(skip), [&](uint16_t type, std::string_view value) {
    if (type == NLMSGERR_ATTR_MSG) text = std::string(value.substr(0, value.find('\0')));
  });
  return text;
}

}  // namespace

Result<Fd> open_netlink(NetlinkFamily family) {
  int protocol = family == NetlinkFamily::Route ? NETLINK_ROUTE : NETLINK_NETFILTER;
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return sys_error("socket", "AF_NETLINK");
  int on = 1;
  // Both only make answers shorter and clearer; an old kernel does without.
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&self), sizeof self) < 0) return sys_error("bind", "AF_NETLINK");
  return fd;
}

void NetlinkBatch::finish() {
  if (starts_.empty()) return;
  uint32_t length = static_cast<uint32_t>(bytes_.size() - starts_.back());
  std::memcpy(bytes_.data() + starts_.back(), &length, sizeof length);
}

void NetlinkBatch::begin(uint16_t type, uint16_t flags, std::string_view family_header) {
  finish();
  starts_.push_back(bytes_.size());
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
  put_raw({reinterpret_cast<const char*>(&header), sizeof header});
  put_raw(family_header);
}

void NetlinkBatch::put_raw(std::string_view bytes) {
  bytes_.append(bytes);
  bytes_.resize(aligned(bytes_.size()));
}

void NetlinkBatch::put(uint16_t attribute, std::string_view bytes) {
  nlattr header{static_cast<uint16_t>(sizeof(nlattr) + bytes.size()), attribute};
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
  put_raw(bytes);
}

void NetlinkBatch::put_string(uint16_t attribute, std::string_view text) {
  std::string terminated(text);
  put(attribute, std::string_view(terminated.c_str(), terminated.size() + 1));
}

void NetlinkBatch::put_u8(uint16_t attribute, uint8_t value) {
  put(attribute, {reinterpret_cast<char*>(&value), 1});
}
void NetlinkBatch::put_u16(uint16_t attribute, uint16_t value) {
  put(attribute, {reinterpret_cast<char*>(&value), 2});
}
void NetlinkBatch::put_u32(uint16_t attribute, uint32_t value) {
  put(attribute, {reinterpret_cast<char*>(&value), 4});
}
void NetlinkBatch::put_be32(uint16_t attribute, uint32_t value) {
  put_u32(attribute, htonl(value));
}

size_t NetlinkBatch::open_nest(uint16_t attribute) {
  size_t position = bytes_.size();
  put(static_cast<uint16_t>(attribute | NLA_F_NESTED), {});
  return position;
}

void NetlinkBatch::close_nest(size_t position) {
  uint16_t length = static_cast<uint16_t>(bytes_.size() - position);
  std::memcpy(bytes_.data() + position, &length, sizeof length);
}

uint32_t NetlinkBatch::number() {
  finish();
  uint32_t first = take_numbers(static_cast<uint32_t>(starts_.size()));
  for (size_t i = 0; i < starts_.size(); ++i) {
    uint32_t sequence = first + static_cast<uint32_t>(i);
    std::memcpy(bytes_.data() + starts_[i] + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof sequence);
  }
  return first;
}

Result<std::vector<NetlinkFailure>> exchange_netlink(int fd, NetlinkBatch& batch) {
  std::vector<NetlinkFailure> failures;
  if (batch.empty()) return failures;
  uint32_t first = batch.number();
  constexpr size_t kDefaultSendBuffer = 128 << 10;
  if (batch.bytes_.size() > kDefaultSendBuffer) {
    int wanted = static_cast<int>(batch.bytes_.size() * 2);
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted);  // too small shows as EMSGSIZE below
  }
  TRY(send_bytes(fd, batch.bytes_));
  std::string buffer(16 << 10, '\0');
  for (;;) {
    size_t got = TRY(receive(fd, buffer, MSG_DONTWAIT));
    if (got == 0) return failures;
    visit_messages({buffer.data(), got}, [&](const nlmsghdr& header, std::string_view body) {
      uint32_t index = header.nlmsg_seq - first;
      if (header.nlmsg_type != NLMSG_ERROR || body.size() < sizeof(nlmsgerr) || index >= batch.size()) return;
      nlmsgerr error;
      std::memcpy(&error, body.data(), sizeof error);
      if (error.error != 0) failures.push_back({index, -error.error, error_text(header, body)});
    });
  }
}

Result<void> dump_netlink(int fd, NetlinkBatch& request, const std::function<void(uint16_t, std::string_view)>& visit) {
  uint32_t sequence = request.number();
  TRY(send_bytes(fd, request.bytes_));
  std::string buffer(64 << 10, '\0');
  int err = 0;
  for (bool done = false; !done;) {
    size_t got = TRY(receive(fd, buffer, 0));
    visit_messages({buffer.data(), got}, [&](const nlmsghdr& header, std::string_view body) {
      if (header.nlmsg_seq != sequence) return;
      if (header.nlmsg_type == NLMSG_DONE)
        done = true;
      else if (header.nlmsg_type == NLMSG_ERROR) {
        done = true;
        if (body.size() >= sizeof(int)) std::memcpy(&err, body.data(), sizeof err);
      } else {
        visit(header.nlmsg_type, body);
        if (!(header.nlmsg_flags & NLM_F_MULTI)) done = true;
      }
    });
  }
  if (err != 0) return sys_error_of(-err, "netlink dump");
  return {};
}

void visit_netlink_messages(std::string_view bytes, const std::function<void(uint16_t, std::string_view)>& visit) {
  visit_messages(bytes, [&](const nlmsghdr& header, std::string_view body) { visit(header.nlmsg_type, body); });
}

void visit_attributes(std::string_view bytes, const std::function<void(uint16_t, std::string_view)>& visit) {
  while (bytes.size() >= sizeof(nlattr)) {
    nlattr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > bytes.size()) return;
    visit(header.nla_type & NLA_TYPE_MASK, bytes.substr(sizeof header, header.nla_len - sizeof header));
    bytes.remove_prefix(std::min(bytes.size(), aligned(header.nla_len)));
  }
}

}  // namespace sampan::sys
