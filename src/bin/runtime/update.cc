// update: new limits for a running container.
#include <unistd.h>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "cgroup/cgroup.h"
#include "codec/text.h"
#include "sys/file.h"

namespace sampan::bin {
namespace {

constexpr Flag kFlags[] = {
    {"resources", "r", Takes::Value, "path to the file containing the resources to update or '-' to read from stdin"},
    {"blkio-weight", "", Takes::Value, "block IO weight, between 10 and 1000"},
    {"cpu-period", "", Takes::Value, "CPU CFS period, in microseconds"},
    {"cpu-quota", "", Takes::Value, "CPU CFS hardcap limit, in microseconds"},
    {"cpu-burst", "", Takes::Value, "CPU CFS burst limit, in microseconds"},
    {"cpu-share", "", Takes::Value, "CPU shares (relative weight)"},
    {"cpu-idle", "", Takes::Value, "1 makes the container's processes SCHED_IDLE"},
    {"cpuset-cpus", "", Takes::Value, "CPUs to use"},
    {"cpuset-mems", "", Takes::Value, "memory nodes to use"},
    {"memory", "", Takes::Value, "memory limit, in bytes or with a unit"},
    {"memory-reservation", "", Takes::Value, "soft memory limit"},
    {"memory-swap", "", Takes::Value, "total memory usage (memory + swap); -1 is unlimited"},
    {"pids-limit", "", Takes::Value, "maximum number of tasks; -1 is unlimited"},
};

Result<std::optional<int64_t>> size_flag(const Args& args, std::string_view name) {
  if (!args.has(name)) return std::optional<int64_t>();
  std::string text = args.get(name);
  if (text == "-1") return std::optional<int64_t>(-1);
  return std::optional<int64_t>(TRY(codec::parse_size(text)));
}

Result<void> apply_cpu(const Args& args, oci::Resources& resources) {
  oci::CpuLimits cpu = resources.cpu.value_or(oci::CpuLimits());
  if (auto value = TRY(args.number("cpu-period"))) cpu.period = static_cast<uint64_t>(*value);
  if (auto value = TRY(args.number("cpu-quota"))) cpu.quota = *value;
  if (auto value = TRY(args.number("cpu-burst"))) cpu.burst = static_cast<uint64_t>(*value);
  if (auto value = TRY(args.number("cpu-share"))) cpu.shares = static_cast<uint64_t>(*value);
  if (auto value = TRY(args.number("cpu-idle"))) cpu.idle = *value;
  if (args.has("cpuset-cpus")) cpu.cpus = args.get("cpuset-cpus");
  if (args.has("cpuset-mems")) cpu.mems = args.get("cpuset-mems");
  resources.cpu = cpu;
  return {};
}

Result<oci::Resources> resources_of(const Args& args) {
  if (args.has("resources")) {
    std::string path = args.get("resources");
    return oci::parse_resources(TRY(path == "-" ? sys::read_fd(0) : sys::read_file(path)));
  }
  oci::Resources resources;
  TRY(apply_cpu(args, resources));
  oci::MemoryLimits memory;
  memory.limit = TRY(size_flag(args, "memory"));
  memory.reservation = TRY(size_flag(args, "memory-reservation"));
  memory.swap = TRY(size_flag(args, "memory-swap"));
  if (memory.limit || memory.reservation || memory.swap) resources.memory = memory;
  if (auto limit = TRY(args.number("pids-limit"))) resources.pids = oci::PidsLimit{*limit};
  if (auto weight = TRY(args.number("blkio-weight"))) {
    resources.block_io.emplace();
    resources.block_io->weight = static_cast<uint16_t>(*weight);
  }
  return resources;
}

Result<int> update(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  if (TRY(context.store.status(record)) == Status::Stopped) return fail(Code::Conflict, "container not running");
  auto resources = TRY(resources_of(context.args));
  auto host = TRY(cgroup::detect_host());
  auto cgroups = cgroup::Cgroup::open(host, record.cgroup_path);
  TRY(cgroups.update(resources));
  return 0;
}

constexpr Command kCommands[] = {{"update", "<container-id>", "update container resource constraints", kFlags, update}};

}  // namespace

std::span<const Command> update_commands() {
  return kCommands;
}

}  // namespace sampan::bin
