// The zygote process: waits on the daemon's socket, forks shims, keeps network namespaces in reserve.
//
// It uses poll(2), not epoll: after a fork the child closes its copies of these descriptors, and an epoll instance
// that both share would forget them for the zygote too.

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/strings.h"
#include "shim/internal/netns_pool.h"
#include "shim/internal/shim_process.h"
#include "sys/child.h"
#include "sys/net_namespace.h"
#include "sys/process.h"

extern "C" const char __executable_start, etext;  // the linker's

namespace sampan::shim {

namespace {

constexpr int kIdleMs = 30;  // after a request: then the pool is filled up, so that it never competes with a start

class ZygoteProcess {
 public:
  explicit ZygoteProcess(int daemon) : daemon_(daemon) {}
  /// Serves until the daemon's end closes (nullopt), or returns in the child that is to become a shim.
  std::optional<ShimInput> run();

 private:
  /// True in the child.
  bool on_request(sys::Packet packet);
  bool fork_shim(sys::Packet& packet, bool with_netns);
  NetnsPool& pool_of(const Request& request);

  sys::Fd daemon_;
  NetnsPool pool_;
  std::optional<NetnsPool> mapped_;  // once one was asked for: a daemon has one mapping
  ShimInput input_;
};

std::optional<ShimInput> ZygoteProcess::run() {
  std::vector<pollfd> polled;
  for (;;) {
    polled.assign(1, {daemon_.get(), POLLIN, 0});
    pool_.add_poll_fds(polled);
    const size_t mapped_from = polled.size();
    if (mapped_) mapped_->add_poll_fds(polled);
    bool full = pool_.full() && (!mapped_ || mapped_->full());
    int ready = ::poll(polled.data(), polled.size(), full ? -1 : kIdleMs);
    if (ready == 0) pool_.refill(true);
    if (ready == 0 && mapped_) mapped_->refill(true);
    if (ready <= 0) continue;
    for (size_t i = 1; i < polled.size(); ++i) {
      if (polled[i].revents) (i < mapped_from ? pool_ : *mapped_).on_ready(polled[i].fd);
    }
    if (!polled[0].revents) continue;
    auto packet = sys::receive_packet(daemon_.get(), std::chrono::milliseconds(0));
    if (packet && !*packet) continue;
    if (packet && (*packet)->end) return std::nullopt;
    if (packet && on_request(std::move(**packet))) return std::move(input_);
  }
}

/// A short-lived child enters the namespace: the zygote itself must stay in the daemon's.
void send_netlink(int reply, int ns) {
  pid_t child = ::fork();
  if (child < 0) (void)sys::send_packet(reply, format_reply(reply_of(errno_error(errno, "fork"))));
  if (child != 0) return;
  auto socket = sys::open_netlink_in(ns);
  if (socket) {
    const int fds[] = {socket->get()};
    (void)sys::send_packet(reply, format_reply({}), fds);
  } else {
    (void)sys::send_packet(reply, format_reply(reply_of(socket.error())));
  }
  ::_exit(0);
}

/// The same for a namespace of its own inside a user namespace that is there already.
void send_netns_in(int reply, int userns) {
  pid_t child = ::fork();
  if (child < 0) (void)sys::send_packet(reply, format_reply(reply_of(errno_error(errno, "fork"))));
  if (child != 0) return;
  auto joined = sys::set_namespaces(userns, sys::ns::kUser);
  auto made = joined ? sys::unshare_net_namespace() : Result<sys::NetNamespace>(std::move(joined).error());
  if (made) {
    const int fds[] = {made->ns.get(), made->netlink.get()};
    (void)sys::send_packet(reply, format_reply({}), fds);
  } else {
    (void)sys::send_packet(reply, format_reply(reply_of(made.error())));
  }
  ::_exit(0);
}

NetnsPool& ZygoteProcess::pool_of(const Request& request) {
  if (request.uid_mappings.empty()) return pool_;
  oci::UserMappings owner{request.uid_mappings, request.gid_mappings};
  if (!mapped_ || !(mapped_->owner() == owner)) mapped_.emplace(std::move(owner));
  return *mapped_;
}

bool ZygoteProcess::on_request(sys::Packet packet) {
  auto request = parse_request(packet.bytes);
  if (packet.fds.empty()) return false;
  if (request && request->op == "netns") {
    if (packet.fds.size() > 1)
      send_netns_in(packet.fds[0].get(), packet.fds[1].get());
    else
      pool_of(*request).request(std::move(packet.fds[0]));
    return false;
  }
  if (request && request->op == "netlink" && packet.fds.size() >= 2u) {
    send_netlink(packet.fds[0].get(), packet.fds[1].get());
    return false;
  }
  if (request && request->op == "create" && packet.fds.size() >= 3u + request->with_netns) {
    return fork_shim(packet, request->with_netns);
  }
  Error error(Code::NotImplemented, "the zygote does not understand the request");
  (void)sys::send_packet(packet.fds[0].get(), format_reply(reply_of(error)));
  return false;
}

bool ZygoteProcess::fork_shim(sys::Packet& packet, bool with_netns) {
  pid_t child = ::fork();
  if (child < 0) {
    (void)sys::send_packet(packet.fds[0].get(), format_reply(reply_of(errno_error(errno, "fork a shim"))));
    return false;
  }
  if (child > 0) return false;
  input_.reply = std::move(packet.fds[0]);
  input_.link = std::move(packet.fds[1]);
  input_.payload = std::move(packet.fds[2]);
  if (with_netns) input_.netns = std::move(packet.fds[3]).as<sys::NsFdTag>();
  return true;
}

void ignore_signal(int) {}

/// A handler that does nothing instead of SIG_IGN: SIG_IGN would be inherited by every container.
void ignore_polite_signals() {
  struct sigaction action{};
  action.sa_handler = ignore_signal;
  action.sa_flags = SA_RESTART;
  for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE}) ::sigaction(signal, &action, nullptr);
}

/// What ps shows: the arguments are overwritten in place, as far as they reach.
void set_title(int argc, char** argv, const std::string& title) {
  char* begin = argv[0];
  char* end = argv[argc - 1] + std::strlen(argv[argc - 1]);
  size_t room = static_cast<size_t>(end - begin);
  std::memset(begin, 0, room);
  std::memcpy(begin, title.data(), std::min(title.size(), room));
}

/// Maps the whole program now: pages that only one process maps count as its own, and a shim is to own little.
void share_program() {
  auto begin = reinterpret_cast<uintptr_t>(&__executable_start) & ~uintptr_t{4095};
  auto end = reinterpret_cast<uintptr_t>(&etext);
  // FALLBACK(linux<5.14): EINVAL; the pages come when they are used.
  (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
}

int run_shim(ShimInput input, const cgroup::HostCgroups& host, int argc, char** argv) {
  ::signal(SIGCHLD, SIG_DFL);
  ::setsid();
  auto loop = EventLoop::open();
  if (!loop) {
    (void)sys::send_packet(input.reply.get(), format_reply(reply_of(loop.error())));
    return 1;
  }
  ShimProcess shim(std::move(*loop), host);
  shim.on_named([=](const std::string& id) { set_title(argc, argv, "sampan-shim: " + id.substr(0, 12)); });
  return shim.run(std::move(input));
}

}  // namespace

int shim_main(int argc, char** argv) {
  auto fd = argc >= 3 && std::string_view(argv[1]) == "zygote" ? parse_uint(argv[2]) : std::nullopt;
  struct stat info;
  if (!fd || ::fstat(static_cast<int>(*fd), &info) != 0 || !S_ISSOCK(info.st_mode)) {
    static constexpr std::string_view kUsage =
        "usage: sampan-shim zygote FD\nFD is a socket; sampand starts this program.\n";
    (void)!::write(STDERR_FILENO, kUsage.data(), kUsage.size());
    return 2;
  }
  ::closefrom(static_cast<int>(*fd) + 1);  // a careless daemon's
  sys::unignore_libc_signals();
  ignore_polite_signals();
  ::signal(SIGCHLD, SIG_IGN);  // shims and makers of namespaces are reaped by the kernel
  ::fcntl(static_cast<int>(*fd), F_SETFD, FD_CLOEXEC);
  (void)!::chdir("/");
  ::umask(022);
  ::mallopt(M_MXFAST, 0);  // freed memory must be able to go back to the kernel
  sys::set_process_name("sampan-zygote");

  auto host = cgroup::detect_host();
  if (!host) return 1;
  warm_up_messages();
  share_program();

  std::optional<ShimInput> input;
  {
    ZygoteProcess zygote(static_cast<int>(*fd));
    input = zygote.run();
  }
  if (!input) return 0;
  sys::set_process_name("sampan-shim");
  return run_shim(std::move(*input), *host, argc, argv);
}

}  // namespace sampan::shim
