#pragma once
// api/internal/route: the table of endpoints and how a request finds its row.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "api/internal/call.h"
#include "api/internal/streams.h"

namespace sampan::api {

/// Which pool a plain handler runs on: reads never wait for a container, writes may (stop waits ten seconds).
enum class Kind { Inline, Read, Write, Transfer, Stream };
enum class Body { None, Json };

struct Route {
  const char* method;
  const char* pattern;  // at most one {name}; it may match slashes
  Kind kind;
  std::variant<PlainHandler, TransferHandler, StreamHandler> handler;
  Body body = Body::None;
  Version since = kMinVersion;
};

std::span<const Route> routes();

struct Match {
  const Route* route = nullptr;
  Version version;
  std::string name;
};
/// Errors: NotFound "page not found"; InvalidArgument (client too old, too new).
Result<Match> find_route(std::string_view method, std::string_view path);
/// True when `path` has the pattern's form; `name` is then what {name} stands for.
bool match_pattern(std::string_view pattern, std::string_view path, std::string& name);

}  // namespace sampan::api
