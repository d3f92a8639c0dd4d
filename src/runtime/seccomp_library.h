#pragma once
// runtime/seccomp_library: which libseccomp compiles the filters.

#include <string>

namespace sampan::runtime {

/// "2.5.4"
std::string seccomp_library_version();

}  // namespace sampan::runtime
