#pragma once
// http/internal/bind: sockets that listen.

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::http::internal {

/// Mode 0660. A stale socket is replaced. Errors: Conflict (a live one, or no socket at all).
Result<sys::Fd> bind_unix(const std::string& path);
/// The socket and its port. Errors: NotFound (no such address), errno of bind.
Result<std::pair<sys::Fd, uint16_t>> bind_tcp(const std::string& address, uint16_t port);

}  // namespace sampan::http::internal
