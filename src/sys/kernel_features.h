#pragma once
// sys/kernel_features: what the running kernel can do, asked without changing anything.
//
// Threads: any.

namespace sampan::sys {

/// Whether seccomp(2) knows a filter flag (sys::seccomp_flag).
bool has_seccomp_flag(unsigned flag);
/// mount_setattr(2), and with it recursive attributes and idmapped mounts (Linux 5.12).
bool has_mount_setattr();
/// clone3(2), without which no process is born in a time namespace.
bool has_clone3();

}  // namespace sampan::sys
