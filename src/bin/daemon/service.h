#pragma once
// daemon/service: what systemd (or anything that follows its protocols) and the daemon say to each other: sockets that
// are passed at start, and the states that are told. Without a service manager all of it is silent.
// Source: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::daemon {

struct ActivatedSocket {
  int number = 0;    // the descriptor's number when it was passed
  std::string name;  // "" when the unit gave none
  sys::Fd socket;
};

/// What was passed, once; the variables leave the environment, so that no child takes the sockets for its own.
std::vector<ActivatedSocket> take_activated_sockets();

/// The sockets that "fd://`which`" means: all, one number, or a name. They leave `sockets`.
/// Errors: NotFound when there is none.
Result<std::vector<ActivatedSocket>> choose_sockets(std::vector<ActivatedSocket>& sockets, const std::string& which);

class ServiceNotifier {
 public:
  /// Reads NOTIFY_SOCKET and WATCHDOG_USEC and removes them from the environment.
  ServiceNotifier();
  void ready() const;
  void reloading() const;
  void stopping() const;
  void status(const std::string& text) const;
  void alive() const;
  /// How often alive() is expected; nullopt when nobody watches.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  void tell(const std::string& words) const;
  std::string address_;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace sampan::daemon
