#pragma once
// api/internal/call: one request on its way to a handler, and the ways to answer. Light: no event loop, no JSON.

#include <array>
#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/internal/row_cache.h"
#include "api/options.h"
#include "base/cancel.h"
#include "base/io.h"
#include "base/result.h"
#include "engine/engine.h"
#include "http/message.h"

namespace sampan::api {

struct Version {
  int major = 1, minor = 0;
  auto operator<=>(const Version&) const = default;
};
inline constexpr Version kMinVersion{1, 24}, kMaxVersion{1, 51};
std::string format_version(Version version);

enum class PruneKind { Containers, Images, Networks, Volumes, Build, Count };

/// What every handler may use. Lives as long as the API.
struct Services {
  engine::Engine& engine;
  std::atomic<std::shared_ptr<const ApiOptions>> options;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  std::array<std::atomic<bool>, static_cast<size_t>(PruneKind::Count)> pruning{};
  std::atomic<int64_t> event_listeners = 0;
  RowCache rows;
};

struct Call {
  http::Request request;  // a copy: form fields of the body are added to its query
  Version version = kMaxVersion;
  std::string name;  // what {name} in the route matched
  std::string body;  // plain handlers: the whole body
  Services& services;

  engine::Engine& engine() const { return services.engine; }
  std::string get(std::string_view key, std::string_view fallback = "") const { return request.get(key, fallback); }
  bool flag(std::string_view key, bool fallback = false) const { return request.flag(key, fallback); }
  /// The query value as a number; missing or empty is the fallback. Errors: InvalidArgument naming the key.
  Result<int64_t> number(std::string_view key, int64_t fallback) const;
};

/// Where a transfer's answer goes. The head is sent with the first byte, so that an early failure is an HTTP error.
class Reply : public ByteSink {
 public:
  /// Sets what start() will send; the default is 200 with application/json.
  virtual void set_head(http::Response head) = 0;
  /// Sends the head now.
  virtual Result<void> start() = 0;
  virtual bool started() const = 0;
  /// Sent only when nothing has started the stream: a complete small answer.
  virtual void set_answer(http::Response answer) = 0;
  virtual const Cancel& cancel() const = 0;
};

/// The Dockerfile lines in changes= (repeated, and several to a value), for commit and import.
std::vector<std::string> change_lines(const http::Request& request);

/// {"message": ...} with the status of the error's code.
http::Response error_answer(const Error& error);
http::Response message_answer(int status, std::string_view message);
http::Response empty_answer(int status);

using PlainHandler = Result<http::Response> (*)(Call& call);
using TransferHandler = Result<void> (*)(Call& call, ByteSource& body, Reply& reply);

}  // namespace sampan::api
