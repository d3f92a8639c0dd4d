#pragma once
// The wire between the process that creates a container (parent) and the process it cloned (child): one SEQPACKET pair.
//
//   parent                                  child (runs the init steps in order)
//     |  <---------- Warning text ----------  |  at any time
//     |  <---------- Timing step, ns --------  |  only when traced, after each step
//     |  <---------- Console + master fd ---  |  a terminal was made
//     |  <---------- NeedMaps --------------  |  only with a new user namespace
//     |  ----------- Go ------------------->  |  uid_map and gid_map are written
//     |  <---------- NeedHooks -------------  |  only when hooks are asked for; before pivot_root
//     |  ----------- Go + state ----------->  |  prestart and createRuntime have run
//     |  <---------- Ready -----------------  |  create() returns
//     |  ----------- Go + state ----------->  |  start()
//     |  <---------- Listener number -------  |  only with SCMP_ACT_NOTIFY, by write(2): the filter is loaded
//     |  ----------- Go ------------------->  |  the agent has the listener; read by read(2)
//     |  <---------- end of file -----------  |  execve has closed it: start() returns
//
// Instead of any of its packets the child may send Error (code, errno, text), and exits. End of file before Ready means
// that the child was killed. The child that reads end of file has lost its parent, and exits.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"
#include "sys/packet.h"

namespace sampan::runtime::internal {

enum class Message : char {
  Warning = 'W',
  Timing = 'T',
  Console = 'C',
  NeedMaps = 'U',
  NeedHooks = 'H',
  Listener = 'L',
  Ready = 'R',
  Go = 'G',
  Error = 'E',
  Closed = 0
};

class Channel {
 public:
  explicit Channel(sys::Fd socket) : socket_(std::move(socket)) {}
  int fd() const { return socket_.get(); }
  void close() { socket_.reset(); }

  Result<void> send(Message message, std::string_view text = {}, std::span<const int> fds = {});
  /// Sends the error as data, cut to what a packet holds.
  void send_error(const Error& error);

  struct Received {
    Message message = Message::Closed;
    std::string text;
    std::vector<sys::Fd> fds;
  };
  Result<Received> receive();
  /// False when the other side has gone.
  bool is_heard() const;
  /// Child: waits for Go and returns its text. Errors: Unavailable when the parent has gone.
  Result<std::string> wait_go();

 private:
  sys::Fd socket_;
};

/// The Error that send_error() packed.
Error unpack_error(std::string_view text);

}  // namespace sampan::runtime::internal
