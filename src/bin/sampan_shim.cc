// sampan-shim: the zygote of all shims, and the shims.

#include "shim/shim.h"
#include "sys/process.h"

// The program runs from a private read-only mount of itself: what a container does to /proc/<pid>/exe of the process
// that enters it cannot reach the file (CVE-2019-5736). Where even that cannot be had, the zygote does not start.
int main(int argc, char** argv, char** envp) {
  if (!sampan::sys::seal_own_program(argv, envp)) return 126;
  return sampan::shim::shim_main(argc, argv);
}
