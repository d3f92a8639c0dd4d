#pragma once
// sys/event_fd: the counter descriptor that kernel files (and threads) can signal.

#include <cstdint>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// eventfd(2), non-blocking; readable while its count is not zero.
Result<Fd> make_event_fd();
/// The count, which becomes zero; 0 when nothing has come. Blocks: no.
Result<uint64_t> take_event_count(int fd);

}  // namespace sampan::sys
