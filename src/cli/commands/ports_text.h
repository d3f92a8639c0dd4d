#pragma once
// cli/commands/ports_text: the PORTS column of ps.

#include <boost/json/fwd.hpp>

#include <string>

namespace sampan::cli {

/// "0.0.0.0:8080->80/tcp, 443/tcp": neighbouring ports with equal numbers inside and outside are joined to ranges.
std::string ports_text(const boost::json::array& ports);

}  // namespace sampan::cli
