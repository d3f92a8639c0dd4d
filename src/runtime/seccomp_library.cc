#include "runtime/seccomp_library.h"

#include <fmt/format.h>
#include <seccomp.h>

namespace sampan::runtime {

std::string seccomp_library_version() {
  const scmp_version* version = ::seccomp_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->micro);
}

}  // namespace sampan::runtime
