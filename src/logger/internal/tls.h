#pragma once
// logger/tls: TLS over a connected socket.

#include <memory>
#include <string>

#include "logger/internal/channel.h"
#include "sys/fd.h"

namespace sampan::logger {

/// The server must prove that it is `host`, by the host's authorities or by `options.ca_file`, unless skip_verify.
/// Errors: InvalidArgument (files), Unavailable (the handshake, in OpenSSL's words).
Result<std::unique_ptr<Channel>> open_tls(sys::Fd socket, const std::string& host, const TlsOptions& options);

}  // namespace sampan::logger
