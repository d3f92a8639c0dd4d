#pragma once
// shim/call: one request of the daemon and its answer.

#include <chrono>
#include <span>
#include <vector>

#include "shim/messages.h"

namespace sampan::shim {

inline constexpr std::chrono::milliseconds kStartDeadline{30'000};  // create, start, exec
inline constexpr std::chrono::milliseconds kCallDeadline{10'000};
inline constexpr std::chrono::milliseconds kCheckpointDeadline{600'000};  // it writes the container's whole memory

struct Answer {
  Reply reply;
  std::vector<sys::Fd> fds;
};
/// Sends the request with its own reply socket in front of `fds` and waits for the answer.
/// Errors: the other side's own; DeadlineExceeded; Unavailable when it has gone; NotImplemented when it is of an
/// earlier version and does not know the request.
Result<Answer> call(int socket, const Request& request, std::span<const int> fds, std::chrono::milliseconds deadline);

Result<std::unique_ptr<ShimConnection>> make_connection(sys::Fd link, Reply told);
/// What Zygote::start() does, and what create() was told on the way.
Result<Started> start_container(ShimConnection& connection);

}  // namespace sampan::shim
