// config.json, process.json and resources.json, and everything pure that is computed from them.
#include "fuzz/fuzz.h"

#include "cgroup/internal/controllers.h"
#include "oci/spec.h"
#include "runtime/internal/devices.h"
#include "runtime/internal/idmap.h"
#include "runtime/internal/mount_options.h"
#include "runtime/internal/plan.h"
#include "runtime/internal/seccomp.h"
#include "runtime/internal/sysctl.h"

namespace {

using namespace sampan;

void plan_process(const oci::Process& process) {
  runtime::internal::ProcessPlan plan;
  std::vector<std::string> warnings;
  if (!runtime::internal::plan_capabilities(process, plan, warnings)) return;
  require((plan.effective & ~plan.permitted) == 0, "what is effective is permitted");
}

void plan_linux(const oci::Linux& section) {
  for (const auto& [key, value] : section.sysctl) {
    auto path = runtime::internal::path_of_sysctl(key);
    if (!path) continue;
    require(("/" + *path + "/").find("/../") == std::string::npos, "a sysctl stays below /proc/sys");
  }
  (void)runtime::internal::format_mappings(section.uid_mappings);
  if (section.seccomp) (void)runtime::internal::seccomp_flags(section.seccomp->flags);
  if (!section.resources) return;
  auto rules = runtime::internal::device_rules(section.resources->devices);
  require(rules.size() >= section.resources->devices.size(), "no device rule is lost");
  for (const auto& rule : rules) (void)cgroup::internal::format_device_rule(rule);
  (void)cgroup::internal::compile_device_program(rules);
  if (const auto& memory = section.resources->memory)
    (void)cgroup::swap_of_memory_swap(memory->swap.value_or(0), memory->limit.value_or(0));
}

}  // namespace

FUZZ_TARGET(spec) {
  (void)oci::parse_process(input);
  (void)oci::parse_resources(input);
  auto spec = oci::parse_spec(input);
  if (!spec) {
    require(!spec.error().message().empty(), "an error has words");
    return;
  }
  std::string text = oci::format_spec(*spec);
  auto again = oci::parse_spec(text);
  require(again.has_value(), "what was written can be read");
  require(oci::format_spec(*again) == text, "reading and writing keeps everything");
  if (spec->process) plan_process(*spec->process);
  for (const auto& mount : spec->mounts) (void)runtime::internal::parse_mount_options(mount.options);
  if (spec->linux_) plan_linux(*spec->linux_);
}
