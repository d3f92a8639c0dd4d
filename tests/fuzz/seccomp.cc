// A seccomp section compiled to a program that the kernel would take.
#include "fuzz/fuzz.h"

#include "codec/json.h"
#include "runtime/internal/seccomp.h"
#include "runtime/runtime.h"

using namespace sampan;

FUZZ_TARGET(seccomp) {
  auto section = codec::from_json<oci::Seccomp>(input);
  if (!section) return;
  (void)runtime::internal::section_flags(*section, runtime::internal::needs_listener(*section));
  auto program = runtime::compile_seccomp(*section);
  if (!program) {
    require(!program.error().message().empty(), "an error has words");
    return;
  }
  require(!program->empty() && program->size() <= 4096, "the kernel takes 1 to 4096 instructions");
  require((program->back() & 0xffff) == 0x06, "the last instruction returns");
}
