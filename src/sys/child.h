#pragma once
// sys/child: the end of a child process, asked for without waiting: what an event loop needs (sys/process.h waits).

#include <optional>

#include "base/result.h"
#include "sys/fd.h"
#include "sys/process.h"

namespace sampan::sys {

/// Reaps the child; nullopt while it runs. Errors: NotFound when it is not, or no longer, a child of ours.
Result<std::optional<ExitStatus>> reap_child(const PidFd& child);

/// Whether poll() says when the process has exited. FALLBACK(linux<5.3): look with is_running() now and then.
bool is_pollable(const PidFd& process);

/// posix_spawn(3) leaves the two signals that glibc keeps for itself ignored, and every descendant would inherit that.
void unignore_libc_signals();

}  // namespace sampan::sys
