#pragma once
// cli/commands/ports_text: the PORTS column of ps.

#include <boost/json/fwd.hpp>

#include <string>

namespace sampan::cli {

/// "0.0.0.0:8080->80/tcp, 443/tcp": neighbouring ports are joined to ranges, as Docker does.
std::string ports_text(const boost::json::array& ports);

}  // namespace sampan::cli
