#pragma once
// cli/values/kind: for every Kind of flag value its word in --help, its check, and its JSON.

#include <boost/json/fwd.hpp>

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/options/option.h"

namespace sampan::cli {

/// How several values of one flag come together in the field.
enum class Merge { Set, Append, Assign };  // the last wins; one list; one object

struct KindInfo {
  std::string_view word;  // "string" in `--name string`; empty for flags
  Merge merge = Merge::Set;
};
KindInfo kind_info(Kind kind);

/// The value in its normal form (flags: "true" or "false"). Errors: InvalidArgument, in Docker's words.
Result<std::string> check_value(Kind kind, const std::string& value);
/// The value as the API wants it: for Append a list of items, for Assign an object of members.
Result<boost::json::value> value_to_json(Kind kind, const std::string& value);

}  // namespace sampan::cli
