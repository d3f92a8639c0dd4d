// The daemon's side of the zygote.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "shim/internal/call.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/packet.h"

namespace sampan::shim {

namespace {

constexpr int kChildSocket = 3;

/// One running zygote: the socket is its lifeline.
class ZygoteChild {
 public:
  ZygoteChild(sys::Fd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}
  ZygoteChild(const ZygoteChild&) = delete;
  ZygoteChild& operator=(const ZygoteChild&) = delete;
  ~ZygoteChild() {
    socket_.reset();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  int socket() const { return socket_.get(); }
  bool gone() const {
    pollfd peer{socket_.get(), 0, 0};
    return ::poll(&peer, 1, 0) > 0 && peer.revents & POLLHUP;
  }

 private:
  sys::Fd socket_;
  pid_t pid_;
};

struct SpawnSettings {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
};

Result<std::shared_ptr<ZygoteChild>> spawn_child(const std::string& program) {
  auto [ours, theirs] = TRY(sys::make_packet_pair());
  SpawnSettings settings;
  // Nothing of the daemon's is inherited: a shim that outlives it must not hold its terminal or its pipes open.
  for (int fd : {0, 1, 2}) {
    ::posix_spawn_file_actions_addopen(&settings.actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
  }
  ::posix_spawn_file_actions_adddup2(&settings.actions, theirs.get(), kChildSocket);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&settings.attributes, &none);
  ::posix_spawnattr_setsigdefault(&settings.attributes, &all);
  ::posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  // The blanks are room for the title of a shim. Chunks that glibc keeps per thread would pin whole pages.
  const char* arguments[] = {program.c_str(), "zygote", "3", "                                ", nullptr};
  const char* environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               "GLIBC_TUNABLES=glibc.malloc.tcache_count=0", nullptr};
  pid_t pid = 0;
  int err = ::posix_spawn(&pid, program.c_str(), &settings.actions, &settings.attributes, const_cast<char**>(arguments),
                          const_cast<char**>(environment));
  if (err != 0) return sys::sys_error_of(err, "posix_spawn", program);
  return std::make_shared<ZygoteChild>(std::move(ours), pid);
}

class ZygoteClient final : public Zygote {
 public:
  ZygoteClient(std::string program, std::shared_ptr<ZygoteChild> child)
      : program_(std::move(program)), child_(std::move(child)) {}

  Result<std::unique_ptr<ShimConnection>> create(StartRequest request) override;
  Result<Started> start(ShimConnection& connection) override { return start_container(connection); }
  Result<Netns> make_netns(const oci::UserMappings& owner) override;
  Result<Netns> make_netns_in(const sys::NsFd& userns) override;

  Result<sys::Fd> open_netlink(const sys::NsFd& ns) override;

 private:
  /// `begun` tells whether work on a request that nobody answered had begun, which must not be begun twice.
  Result<Answer> ask(
      const Request& request, std::span<const int> fds, std::chrono::milliseconds deadline,
      const std::function<bool()>& begun = [] { return false; });

  std::string program_;
  std::mutex mutex_;
  std::shared_ptr<ZygoteChild> child_;  // guarded by mutex_; a caller keeps the one it uses
};

/// A zygote that has died (it holds no state) is replaced by a new one, once; also one that died with the request.
Result<Answer> ZygoteClient::ask(const Request& request, std::span<const int> fds, std::chrono::milliseconds deadline,
                                 const std::function<bool()>& begun) {
  std::shared_ptr<ZygoteChild> child;
  {
    std::lock_guard lock(mutex_);
    child = child_;
  }
  auto answer = call(child->socket(), request, fds, deadline);
  if (answer || answer.error().code() != Code::Unavailable || !child->gone() || begun()) return answer;
  {
    std::lock_guard lock(mutex_);
    if (child_ == child) child_ = TRY_CONTEXT(spawn_child(program_), "restart the zygote");
    child = child_;
  }
  return call(child->socket(), request, fds, deadline);
}

Result<std::unique_ptr<ShimConnection>> ZygoteClient::create(StartRequest request) {
  auto payload = TRY(make_payload(request));
  auto [ours, theirs] = TRY(sys::make_packet_pair());
  std::vector<int> fds{theirs.get(), payload.get()};
  if (request.netns.valid()) fds.push_back(request.netns.get());
  // The shim's directory is the first thing that it makes.
  auto begun = [&request] { return ::access(request.dir.c_str(), F_OK) == 0; };
  auto answer = TRY(ask({.op = "create", .with_netns = request.netns.valid()}, fds, kStartDeadline, begun));
  theirs.reset();
  return make_connection(std::move(ours), std::move(answer.reply));
}

Result<Zygote::Netns> netns_of(Answer answer) {
  if (answer.fds.size() != 2) return fail(Code::Internal, "the zygote sent no network namespace");
  return Zygote::Netns{std::move(answer.fds[0]).as<sys::NsFdTag>(), std::move(answer.fds[1])};
}

Result<Zygote::Netns> ZygoteClient::make_netns(const oci::UserMappings& owner) {
  Request request{.op = "netns", .uid_mappings = owner.uids, .gid_mappings = owner.gids};
  return netns_of(TRY_CONTEXT(ask(request, {}, kCallDeadline), "make a network namespace"));
}

Result<Zygote::Netns> ZygoteClient::make_netns_in(const sys::NsFd& userns) {
  const int fds[] = {userns.get()};
  return netns_of(TRY_CONTEXT(ask({.op = "netns"}, fds, kCallDeadline), "make a network namespace"));
}

Result<sys::Fd> ZygoteClient::open_netlink(const sys::NsFd& ns) {
  const int fds[] = {ns.get()};
  auto answer = TRY_CONTEXT(ask({.op = "netlink"}, fds, kCallDeadline), "open netlink in a namespace");
  if (answer.fds.size() != 1) return fail(Code::Internal, "the zygote sent no socket");
  return std::move(answer.fds[0]);
}

}  // namespace

Result<std::unique_ptr<Zygote>> spawn_zygote(const std::string& program, const std::string& exec_root) {
  TRY(sys::make_dirs(exec_root + "/shim", 0711));
  auto child = TRY(spawn_child(program));
  return std::unique_ptr<Zygote>(std::make_unique<ZygoteClient>(program, std::move(child)));
}

}  // namespace sampan::shim
