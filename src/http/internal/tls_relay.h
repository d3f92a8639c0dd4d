#pragma once
// http/internal/tls_relay: one TLS connection, carried on as plain bytes through a socket pair. Loop thread only.

#include <openssl/ssl.h>

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>

#include "async/async.h"
#include "http/internal/connection.h"
#include "http/tls.h"

namespace sampan::http::internal {

class ServerContext final : public TlsIdentity {
 public:
  explicit ServerContext(TlsFiles files) : files_(std::move(files)) {}
  Result<void> reload() override;
  std::shared_ptr<SSL_CTX> context() const { return context_; }

 private:
  TlsFiles files_;
  std::shared_ptr<SSL_CTX> context_;
};

class TlsRelay final : public std::enable_shared_from_this<TlsRelay> {
 public:
  TlsRelay(Socket outer, std::shared_ptr<SSL_CTX> context);
  ~TlsRelay();
  TlsRelay(const TlsRelay&) = delete;
  TlsRelay& operator=(const TlsRelay&) = delete;

  /// Errors: Cancelled; the client did not become one in time.
  async::Task<Result<void>> handshake();
  /// The plain side, for the server. Errors: errno of socketpair.
  Result<Socket> open_inner();
  /// Pumps in both directions until both have ended.
  async::Task<void> run();
  /// Whatever waits fails.
  void drop();

 private:
  async::Task<bool> wait_for(int failure);
  async::Task<void> pump_in();
  async::Task<void> pump_out();
  async::Task<bool> write_out(std::string_view bytes);
  async::Task<bool> pass_in(std::string_view bytes);
  async::Task<void> linger();

  Socket outer_, inner_;
  async::asio::steady_timer linger_;
  SSL* ssl_;
  bool in_done_ = false;
};

}  // namespace sampan::http::internal
