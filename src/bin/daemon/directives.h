#pragma once
// daemon/directives: the one table of what can be configured. The command line, --help, daemon.json, the check for
// unknown keys and conflicts, the reload and the tests all iterate its rows.

#include <span>
#include <string_view>
#include <variant>

#include "daemon/settings.h"

namespace sampan::daemon {

/// Where a directive's value goes; the member's type is the form of the value. None: the directive is refused.
using Member = std::variant<std::monostate, bool Settings::*, int64_t Settings::*, std::string Settings::*,
                            Texts Settings::*, TextMap Settings::*, SwitchMap Settings::*, ByteSize Settings::*,
                            UlimitMap Settings::*, Pools Settings::*, NetworkDefaults Settings::*>;

enum class Reload { No, Yes };

struct Directive {
  const char* key;   // in daemon.json
  const char* flag;  // on the command line, "" for none
  Member member;
  Reload reload;
  const char* help;       // or why it is refused
  const char* only = "";  // the values that are possible here, by commas; "" for any
};

std::span<const Directive> directives();
/// nullptr when there is none.
const Directive* find_directive(std::string_view key);

}  // namespace sampan::daemon
