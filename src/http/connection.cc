#include "http/internal/connection.h"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/write.hpp>

#include <cerrno>

namespace sampan::http::internal {

namespace asio = async::asio;

void Connection::watch() {
  watching_ = true;
  pipelined_ = false;
  if (!armed_) arm_watch();
}

void Connection::arm_watch() {
  if (!socket_.is_open()) return;
  armed_ = true;
  // Bytes of a further request make the socket readable for good: from then on only a hang-up can be seen.
  auto event = pipelined_ ? asio::socket_base::wait_error : asio::socket_base::wait_read;
  socket_.async_wait(event, [weak = weak_from_this()](boost::system::error_code error) {
    auto self = weak.lock();
    if (!self) return;
    self->armed_ = false;
    if (!error && self->watching_) self->look_for_end();
  });
}

void Connection::look_for_end() {
  char byte = 0;
  ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
    mark_gone();
    return;
  }
  if (got > 0 && pipelined_) {  // a hang-up with bytes still queued
    mark_gone();
    return;
  }
  pipelined_ = got > 0;
  arm_watch();
}

void Connection::mark_gone() {
  if (cancel_.cancelled()) return;
  cancel_.cancel();
  watching_ = false;
  // The socket stays open: a client that only closed its sending side still reads what is being written.
  if (auto callback = std::exchange(gone_callback_, nullptr)) callback();
}

async::Task<Result<void>> Connection::write(std::span<const std::string_view> pieces) {
  std::vector<asio::const_buffer> buffers;
  buffers.reserve(pieces.size());
  for (auto piece : pieces) buffers.emplace_back(piece.data(), piece.size());
  if (!socket_.is_open()) co_return fail(Code::Cancelled, "the client has gone");
  auto [error, written] = co_await asio::async_write(socket_, buffers, asio::as_tuple(asio::use_awaitable));
  if (error) {
    mark_gone();
    co_return fail(Code::Cancelled, "the client has gone");
  }
  co_return Result<void>();
}

void Connection::shrink_input() {
  if (input_.size() == 0 && input_.capacity() > 0) input_ = boost::beast::flat_buffer();
}

void Connection::cut_off() {
  mark_gone();
  close();
}

void Connection::close() {
  unwatch();
  boost::system::error_code ignored;
  if (socket_.is_open()) socket_.close(ignored);
}

}  // namespace sampan::http::internal
