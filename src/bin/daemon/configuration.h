#pragma once
// daemon/configuration: flags and daemon.json become Settings, or an error that names the directive.
//
// A directive is said either on the command line or in the file, never in both. A key that nobody knows is an error, so
// is one that is known and cannot be honoured here. The words of the errors are those of Docker's daemon.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "daemon/directives.h"

namespace sampan::daemon {

/// What the command line said: values by the directive's key, in order.
using Flags = std::map<std::string, std::vector<std::string>>;

/// The settings that flags and the text of a daemon.json (empty for none) make together.
/// Errors: InvalidArgument.
Result<Settings> merge_settings(const Flags& flags, std::string_view file_text);

/// What no single directive shows to be wrong: names, addresses, ranges, certificates for TCP.
Result<void> validate_settings(const Settings& settings);

/// The same from the file at `path`. A missing file is an error only when it was asked for.
Result<Settings> load_settings(const Flags& flags, const std::string& path, bool path_given);

/// `now` with everything that can change while the daemon runs taken from `wanted`.
Settings apply_reload(const Settings& now, const Settings& wanted);

/// Docker's attributes of the reload event, and what /info shows of some of them.
std::map<std::string, std::string> reload_attributes(const Settings& settings);

}  // namespace sampan::daemon
