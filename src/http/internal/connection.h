#pragma once
// http/internal/connection: one accepted socket: what outlives a single request on it. Loop thread only.

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "async/async.h"
#include "base/cancel.h"
#include "base/result.h"
#include "http/http.h"

namespace sampan::http::internal {

using Socket = async::asio::generic::stream_protocol::socket;

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket socket, uint32_t peer_uid, uint32_t peer_pid)
      : socket_(std::move(socket)), peer_uid_(peer_uid), peer_pid_(peer_pid) {}

  Socket& socket() { return socket_; }
  boost::beast::flat_buffer& input() { return input_; }
  uint32_t peer_uid() const { return peer_uid_; }
  uint32_t peer_pid() const { return peer_pid_; }
  const Cancel& cancel() const { return cancel_; }

  /// Watches for the peer's end while an exchange works without reading. Stops at unwatch().
  void watch();
  void unwatch() { watching_ = false; }
  /// The peer has gone: sets cancel() and runs the callback.
  void mark_gone();
  /// The server stops: as gone, and whatever waits on the socket fails.
  void cut_off();
  /// Called once, by mark_gone(); an empty function forgets it.
  void on_gone(std::function<void()> callback) { gone_callback_ = std::move(callback); }

  /// Errors: Cancelled; the connection is then marked as gone.
  async::Task<Result<void>> write(std::span<const std::string_view> pieces);
  /// Gives the input's memory back when nothing is in it.
  void shrink_input();
  void close();

 private:
  void arm_watch();
  void look_for_end();

  Socket socket_;
  boost::beast::flat_buffer input_;
  uint32_t peer_uid_, peer_pid_;
  Cancel cancel_;
  std::function<void()> gone_callback_;
  bool watching_ = false, armed_ = false, pipelined_ = false;
};

/// Serves requests until the connection ends or is taken away.
async::Task<void> serve(std::shared_ptr<Connection> connection, std::shared_ptr<const Handler> handler);

}  // namespace sampan::http::internal
