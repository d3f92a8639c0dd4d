#pragma once
// http/tls: the daemon's side of mutual TLS. Whoever connects shows a certificate that the given authority signed for
// clients, or does not get as far as HTTP.
//
// A connection over TLS is deciphered in this process and carried on through a local socket pair, so that everything
// behind it (HTTP, hijacking, handing a connection to a shim) sees an ordinary socket. The half-close of one side is a
// close_notify on the other. Such a connection ends with the daemon: the keys are here.

#include <memory>
#include <string>

#include "base/result.h"

namespace sampan::http {

struct TlsFiles {
  std::string authority, certificate, key;  // PEM
};

class TlsIdentity {
 public:
  virtual ~TlsIdentity() = default;
  /// Reads the files again; connections that exist keep what they have. On failure the old ones stay.
  virtual Result<void> reload() = 0;
};
/// Errors: InvalidArgument naming the file.
Result<std::shared_ptr<TlsIdentity>> open_tls(TlsFiles files);

}  // namespace sampan::http
