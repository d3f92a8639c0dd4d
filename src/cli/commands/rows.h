#pragma once
// cli/commands/rows: reading API objects into printable rows. For .cc files only.

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace sampan::cli {

/// A member on a dotted path, null when something on the way is missing.
const boost::json::value& member_at(const boost::json::value& value, std::string_view path);
std::string text_at(const boost::json::value& value, std::string_view path);
int64_t number_at(const boost::json::value& value, std::string_view path);
bool flag_at(const boost::json::value& value, std::string_view path);
/// Items of a list, nothing when the member is missing or null.
const boost::json::array& list_at(const boost::json::value& value, std::string_view path);
const boost::json::object& object_at(const boost::json::value& value, std::string_view path);
/// "a=1,b=2", sorted by name.
std::string labels_text(const boost::json::value& labels);

}  // namespace sampan::cli
