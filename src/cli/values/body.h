#pragma once
// cli/values/body: the request body that a command's rows describe. Pure, but for env and label files.

#include <boost/json/fwd.hpp>

#include <string>

#include "base/result.h"
#include "cli/options/arguments.h"

namespace sampan::cli {

/// Puts `value` at a dotted path ("HostConfig.Memory"), making the objects on the way; lists are appended to, objects
/// are merged when the merge says so.
void put_value(boost::json::object& body, std::string_view path, boost::json::value value, bool merge);

/// Every flag given whose row says "body:..." and whose kind converts by itself.
Result<void> fill_body(const Arguments& arguments, boost::json::object& body);

struct CreateRequest {
  std::string body;  // JSON
  bool attach_stdin = false, attach_stdout = false, attach_stderr = false;
  bool tty = false, open_stdin = false, auto_remove = false;
  std::string image;
};
/// The body of POST /containers/create for run and create.
/// Errors: InvalidArgument, in Docker's words (conflicting options, bad values).
Result<CreateRequest> make_create_request(const Arguments& arguments, bool detached);

/// The members that "KEY=value" texts make. A key without "=" gets "".
boost::json::object pairs_to_object(const std::vector<std::string>& pairs);

}  // namespace sampan::cli
