#pragma once
// client/internal/message: HTTP/1.1 as bytes: writing a request's head, reading an answer's head, undoing chunking.
// Pure: no sockets.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/client.h"

namespace sampan::client {

struct RequestHead {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
};
/// Errors: InvalidArgument (a line break or a blank in the target, a line break in a header: they would forge
/// requests).
Result<std::string> format_request_head(const RequestHead& head);

/// Takes one complete head off the front of `buffer`; nullopt when it is not complete yet.
/// Errors: Internal (not HTTP, or a head over 1 MiB).
Result<std::optional<Response>> take_response_head(std::string& buffer);

/// Decodes "Transfer-Encoding: chunked" piece by piece.
class ChunkedDecoder {
 public:
  /// Moves payload from the front of `wire` to the end of `payload`; incomplete rests stay in `wire`. A chunk's payload
  /// is passed on as it arrives, before the chunk is whole. Errors: Internal (a broken chunk size).
  Result<void> decode(std::string& wire, std::string& payload);
  bool finished() const { return state_ == State::Done; }

 private:
  enum class State { Size, Data, DataEnd, Trailer, Done };
  Result<bool> step(std::string_view& wire, std::string& payload);

  State state_ = State::Size;
  uint64_t left_ = 0;
};

}  // namespace sampan::client
