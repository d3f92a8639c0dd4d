// OpenSSL works on the socket itself and says what it waits for; the loop does the waiting. Both directions share one
// SSL object, which is safe: they run on one thread and never in the middle of a call.
#include "http/internal/tls_relay.h"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cerrno>

#include "sys/error.h"
#include "sys/fd.h"

namespace sampan::http::internal {

namespace asio = async::asio;

namespace {

constexpr std::chrono::seconds kHandshakeTime(10), kLingerTime(3);
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// Bytes stay here only between a read and the write that follows it without a pause; the loop is one thread, and there
// is one loop that serves TLS.
std::array<char, 16 << 10> scratch;

void send_best_effort(int fd, std::string_view text) {
  (void)::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);  // the connection ends in any case
}

}  // namespace

TlsRelay::TlsRelay(Socket outer, std::shared_ptr<SSL_CTX> context)
    : outer_(std::move(outer)),
      inner_(outer_.get_executor()),
      linger_(outer_.get_executor()),
      ssl_(SSL_new(context.get())) {
  if (ssl_) SSL_set_fd(ssl_, outer_.native_handle());
}

TlsRelay::~TlsRelay() {
  SSL_free(ssl_);
}

void TlsRelay::drop() {
  boost::system::error_code ignored;
  outer_.close(ignored);
  inner_.close(ignored);
}

/// Waits for what the last call on the SSL object lacked. False when it failed for good.
async::Task<bool> TlsRelay::wait_for(int failure) {
  if (failure != SSL_ERROR_WANT_READ && failure != SSL_ERROR_WANT_WRITE) co_return false;
  auto event = failure == SSL_ERROR_WANT_READ ? asio::socket_base::wait_read : asio::socket_base::wait_write;
  auto [error] = co_await outer_.async_wait(event, kToken);
  co_return !error && outer_.is_open();
}

async::Task<Result<void>> TlsRelay::handshake() {
  if (!ssl_) co_return fail(Code::ResourceExhausted, "TLS: no memory");
  asio::steady_timer deadline(outer_.get_executor(), kHandshakeTime);
  deadline.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    auto self = weak.lock();
    if (!error && self) self->drop();
  });
  for (;;) {
    ERR_clear_error();
    int done = SSL_accept(ssl_);
    if (done == 1) co_return Result<void>();
    int failure = SSL_get_error(ssl_, done);
    unsigned long reason = ERR_peek_error();
    if (co_await wait_for(failure)) continue;
    if (outer_.is_open() && ERR_GET_LIB(reason) == ERR_LIB_SSL && ERR_GET_REASON(reason) == SSL_R_HTTP_REQUEST) {
      send_best_effort(outer_.native_handle(),
                       "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    }
    char words[256] = "the connection ended";
    if (reason != 0) ERR_error_string_n(reason, words, sizeof(words));
    co_return fail(Code::Cancelled, "TLS handshake: {}", words);
  }
}

Result<Socket> TlsRelay::open_inner() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
    return sys::sys_error("socketpair");
  sys::Fd ours(pair[0]), theirs(pair[1]);
  Socket out(outer_.get_executor());
  boost::system::error_code error;
  inner_.assign(asio::generic::stream_protocol(AF_UNIX, 0), ours.get(), error);
  if (error) return fail(Code::ResourceExhausted, "socketpair: {}", error.message());
  (void)ours.release();
  out.assign(asio::generic::stream_protocol(AF_UNIX, 0), theirs.get(), error);
  if (error) return fail(Code::ResourceExhausted, "socketpair: {}", error.message());
  (void)theirs.release();
  return out;
}

/// False when the server no longer reads.
async::Task<bool> TlsRelay::pass_in(std::string_view bytes) {
  ssize_t sent = ::send(inner_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(bytes.size())) co_return true;
  if (sent < 0 && errno != EAGAIN && errno != EINTR) co_return false;
  std::string rest(bytes.substr(sent < 0 ? 0 : static_cast<size_t>(sent)));
  auto [error, written] = co_await asio::async_write(inner_, asio::buffer(rest), kToken);
  co_return !error;
}

async::Task<void> TlsRelay::pump_in() {
  bool wanted = true;  // a server that has closed reads no more; the client may still be sending
  while (outer_.is_open()) {
    ERR_clear_error();
    int got = SSL_read(ssl_, scratch.data(), scratch.size());
    if (got > 0) {
      if (wanted) wanted = co_await pass_in({scratch.data(), static_cast<size_t>(got)});
      continue;
    }
    int failure = SSL_get_error(ssl_, got);
    if (co_await wait_for(failure)) continue;
    if (failure == SSL_ERROR_ZERO_RETURN) {  // an orderly end: the other direction goes on
      if (inner_.is_open()) (void)::shutdown(inner_.native_handle(), SHUT_WR);
    } else {  // a connection that was cut is not one that was closed: the server must not take it for a whole request
      drop();
    }
    break;
  }
  in_done_ = true;
  linger_.cancel();
}

async::Task<bool> TlsRelay::write_out(std::string_view bytes) {
  std::string kept;  // scratch is somebody else's after a wait
  while (!bytes.empty()) {
    ERR_clear_error();
    int sent = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      continue;
    }
    int failure = SSL_get_error(ssl_, sent);
    if (kept.empty()) {
      kept = bytes;
      bytes = kept;
    }
    if (!co_await wait_for(failure)) co_return false;
  }
  co_return true;
}

async::Task<void> TlsRelay::pump_out() {
  while (inner_.is_open()) {
    ssize_t got = ::recv(inner_.native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
    if (got > 0) {
      if (co_await write_out({scratch.data(), static_cast<size_t>(got)})) continue;
      drop();
      co_return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      auto [error] = co_await inner_.async_wait(asio::socket_base::wait_read, kToken);
      if (!error) continue;
      co_return;
    }
    break;
  }
  if (outer_.is_open()) (void)SSL_shutdown(ssl_);  // says "no more from here"; reading goes on
  co_await linger();
}

// A server that only closed its sending side still reads. One that has gone altogether leaves the client a moment to
// read what is under way: closing at once would make the kernel reset the connection and throw that away.
async::Task<void> TlsRelay::linger() {
  if (in_done_ || !inner_.is_open()) co_return;
  pollfd state{inner_.native_handle(), 0, 0};
  if (::poll(&state, 1, 0) == 0) (void)co_await inner_.async_wait(asio::socket_base::wait_error, kToken);
  if (in_done_ || !outer_.is_open()) co_return;
  (void)::shutdown(outer_.native_handle(), SHUT_WR);
  linger_.expires_after(kLingerTime);
  (void)co_await linger_.async_wait(kToken);
  drop();
}

async::Task<void> TlsRelay::run() {
  auto self = shared_from_this();
  asio::co_spawn(
      outer_.get_executor(), [self]() -> async::Task<void> { co_await self->pump_in(); },
      [self](std::exception_ptr thrown) {
        if (thrown || !self->inner_.is_open()) self->drop();
      });
  co_await pump_out();
  // Either side may still be open after a half-close; the last coroutine to end drops the relay and closes both.
}

}  // namespace sampan::http::internal
