#include "daemon/service.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "base/strings.h"

namespace sampan::daemon {

namespace {

constexpr int kFirst = 3;

std::string take_variable(const char* name) {
  const char* found = ::getenv(name);
  std::string out = found ? found : "";
  ::unsetenv(name);
  return out;
}

bool is_for_us(const std::string& pid) {
  return parse_int(pid) == static_cast<int64_t>(::getpid());
}

}  // namespace

std::vector<ActivatedSocket> take_activated_sockets() {
  std::string pid = take_variable("LISTEN_PID"), count = take_variable("LISTEN_FDS");
  auto names = split(take_variable("LISTEN_FDNAMES"), ':');
  std::vector<ActivatedSocket> out;
  auto total = parse_uint(count);
  if (!is_for_us(pid) || !total || *total > 1024) return out;
  for (size_t index = 0; index < *total; ++index) {
    int number = kFirst + static_cast<int>(index);
    int flags = ::fcntl(number, F_GETFD);
    if (flags < 0) continue;
    (void)::fcntl(number, F_SETFD, flags | FD_CLOEXEC);  // of an open descriptor it cannot fail
    out.push_back({number, index < names.size() ? names[index] : "", sys::Fd(number)});
  }
  return out;
}

Result<std::vector<ActivatedSocket>> choose_sockets(std::vector<ActivatedSocket>& sockets, const std::string& which) {
  std::vector<ActivatedSocket> out;
  for (auto it = sockets.begin(); it != sockets.end();) {
    bool wanted = which.empty() || which == it->name || which == std::to_string(it->number);
    if (!wanted) {
      ++it;
      continue;
    }
    out.push_back(std::move(*it));
    it = sockets.erase(it);
  }
  if (out.empty()) {
    return fail(Code::NotFound, "-H fd://{}: no such socket was passed at start (socket activation)", which);
  }
  return out;
}

ServiceNotifier::ServiceNotifier() : address_(take_variable("NOTIFY_SOCKET")) {
  std::string pid = take_variable("WATCHDOG_PID");
  auto period = parse_uint(take_variable("WATCHDOG_USEC"));
  if (period && *period > 0 && (pid.empty() || is_for_us(pid))) watchdog_ = std::chrono::microseconds(*period / 2);
}

void ServiceNotifier::tell(const std::string& words) const {
  sockaddr_un address{};
  if (address_.size() < 2 || address_.size() >= sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, address_.data(), address_.size());
  if (address_[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
  sys::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return;
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // A service manager that does not listen changes nothing for the daemon.
  (void)::sendto(socket.get(), words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), size);
}

void ServiceNotifier::ready() const {
  tell(fmt::format("READY=1\nMAINPID={}\nSTATUS=serving", ::getpid()));
}

void ServiceNotifier::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void ServiceNotifier::stopping() const {
  tell("STOPPING=1\nSTATUS=containers run on");
}

void ServiceNotifier::status(const std::string& text) const {
  tell("STATUS=" + text);
}

void ServiceNotifier::alive() const {
  tell("WATCHDOG=1");
}

}  // namespace sampan::daemon
