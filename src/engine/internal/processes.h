#pragma once
// engine/internal/processes: ps(1) for the processes of one container, read from /proc: the usual columns, no program
// run.

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace sampan::engine {

/// What `ps` arguments ask for, as column names ("pid", "comm", ...). Understands -ef, -f, -e, -A, aux, ax, -aux, -x,
/// o/-o/-eo/axo LIST and --format LIST; "" is -ef.
/// Errors: InvalidArgument naming the argument or column.
Result<std::vector<std::string>> parse_ps_arguments(const std::string& arguments);
/// Rows in the order of `pids`; processes that ended meanwhile are left out.
Top list_processes(const std::vector<pid_t>& pids, const std::vector<std::string>& columns);

}  // namespace sampan::engine
