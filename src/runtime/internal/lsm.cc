#include <fcntl.h>

#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"

namespace sampan::runtime::internal {
namespace {

/// The label of the coming execve, through a procfs that is surely one (CVE-2019-16884).
Result<void> write_label(Child& child, std::initializer_list<const char*> files, const std::string& label) {
  int proc = TRY(private_proc(child));
  std::optional<Error> last;
  for (const char* file : files) {
    auto opened = sys::open_in_root(proc, file, O_WRONLY);
    if (opened) return sys::write_all(opened->get(), label);
    last = std::move(opened).error();
  }
  return std::move(*last);
}

}  // namespace

// Asked for and not to be had is an error: a container must never run less confined than its owner believes.
Result<void> apply_labels(Child& child) {
  const auto& process = *child.process.process;
  if (!process.apparmor_profile.empty() && process.apparmor_profile != "unconfined") {
    auto written =
        write_label(child, {"self/attr/apparmor/exec", "self/attr/exec"}, "exec " + process.apparmor_profile);
    if (!written)
      return std::move(written).error().context(
          fmt::format("unable to apply apparmor profile \"{}\"", process.apparmor_profile));
  }
  if (!process.selinux_label.empty()) {
    auto written = write_label(child, {"self/attr/exec"}, process.selinux_label);
    if (!written)
      return std::move(written).error().context(
          fmt::format("unable to apply SELinux label \"{}\"", process.selinux_label));
  }
  return {};
}

}  // namespace sampan::runtime::internal
