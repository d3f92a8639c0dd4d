#pragma once
// cli/commands/stats_sample: one stats object of the API as a printable row. Pure.

#include <boost/json/fwd.hpp>

#include <string>

namespace sampan::cli {

/// Missing numbers are shown as "--".
boost::json::value stats_row(const boost::json::value& sample, const std::string& container, bool full_id);

}  // namespace sampan::cli
