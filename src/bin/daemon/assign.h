#pragma once
// daemon/assign: one value of one directive, from words of the command line or from JSON, into its member. For .cc
// files only.

#include <string>
#include <vector>

#include "codec/json.h"
#include "daemon/directives.h"

namespace sampan::daemon {

/// Errors: InvalidArgument naming the key and the value.
Result<void> assign_words(const Directive& row, const std::vector<std::string>& words, Settings& settings);
Result<void> assign_json(const Directive& row, const codec::json::value& value, Settings& settings);
/// A value as Go prints it with %v.
std::string format_plain(const codec::json::value& value);

}  // namespace sampan::daemon
