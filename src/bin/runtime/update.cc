// update: new limits for a running container.
#include <unistd.h>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "cgroup/cgroup.h"
#include "codec/json.h"
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
    {"cpu-rt-period", "", Takes::Value, "CPU realtime period, in microseconds"},
    {"cpu-rt-runtime", "", Takes::Value, "CPU realtime hardcap limit, in microseconds"},
    {"cpuset-cpus", "", Takes::Value, "CPUs to use"},
    {"cpuset-mems", "", Takes::Value, "memory nodes to use"},
    {"memory", "", Takes::Value, "memory limit, in bytes or with a unit"},
    {"memory-reservation", "", Takes::Value, "soft memory limit"},
    {"memory-swap", "", Takes::Value, "total memory usage (memory + swap); -1 is unlimited"},
    {"pids-limit", "", Takes::Value, "maximum number of tasks; -1 is unlimited"},
    {"l3-cache-schema", "", Takes::Value, "not supported: Intel RDT cache schema"},
    {"mem-bw-schema", "", Takes::Value, "not supported: Intel RDT memory bandwidth schema"},
};

Result<std::optional<int64_t>> size_flag(const Args& args, std::string_view name) {
  if (!args.has(name)) return std::optional<int64_t>();
  std::string text = args.get(name);
  if (text == "-1") return std::optional<int64_t>(-1);
  auto size = codec::parse_size(text);
  if (!size) return fail(Code::InvalidArgument, "invalid value for {}: invalid size: '{}'", name, text);
  return std::optional<int64_t>(*size);
}

Result<std::optional<int64_t>> number_flag(const Args& args, std::string_view name) {
  if (args.get(name).empty()) return std::optional<int64_t>();
  auto value = parse_int(args.get(name));
  if (!value) return fail(Code::InvalidArgument, "invalid value for {}: \"{}\" is no number", name, args.get(name));
  return value;
}

Result<std::optional<uint64_t>> count_flag(const Args& args, std::string_view name) {
  auto value = TRY(number_flag(args, name));
  if (!value) return std::optional<uint64_t>();
  if (*value < 0) return fail(Code::InvalidArgument, "invalid value for {}: {} is negative", name, *value);
  return std::optional<uint64_t>(static_cast<uint64_t>(*value));
}

Result<oci::CpuLimits> cpu_of(const Args& args) {
  oci::CpuLimits cpu;
  cpu.period = TRY(count_flag(args, "cpu-period"));
  cpu.quota = TRY(number_flag(args, "cpu-quota"));
  cpu.burst = TRY(count_flag(args, "cpu-burst"));
  cpu.shares = TRY(count_flag(args, "cpu-share"));
  cpu.realtime_period = TRY(count_flag(args, "cpu-rt-period"));
  cpu.realtime_runtime = TRY(number_flag(args, "cpu-rt-runtime"));
  cpu.idle = TRY(number_flag(args, "cpu-idle"));
  cpu.cpus = args.get("cpuset-cpus");
  cpu.mems = args.get("cpuset-mems");
  return cpu;
}

Result<oci::Resources> resources_of(const Args& args) {
  for (const char* flag : {"l3-cache-schema", "mem-bw-schema"})
    if (args.has(flag)) return fail(Code::NotImplemented, "Intel RDT is not supported: --{}", flag);
  if (args.has("resources")) {
    std::string path = args.get("resources");
    return oci::parse_resources(TRY(path == "-" ? sys::read_fd(0) : sys::read_file(path)));
  }
  oci::Resources resources;
  resources.cpu = TRY(cpu_of(args));
  oci::MemoryLimits memory;
  memory.limit = TRY(size_flag(args, "memory"));
  memory.reservation = TRY(size_flag(args, "memory-reservation"));
  memory.swap = TRY(size_flag(args, "memory-swap"));
  if (memory.limit || memory.reservation || memory.swap) resources.memory = memory;
  if (auto limit = TRY(number_flag(args, "pids-limit"))) resources.pids = oci::PidsLimit{*limit};
  if (auto weight = TRY(count_flag(args, "blkio-weight")); weight && *weight != 0) {
    if (*weight < 10 || *weight > 1000)
      return fail(Code::InvalidArgument, "invalid value for blkio-weight: {} is not between 10 and 1000", *weight);
    resources.block_io.emplace();
    resources.block_io->weight = static_cast<uint16_t>(*weight);
  }
  return resources;
}

template <typename T>
constexpr bool kIsOptional = false;
template <typename T>
constexpr bool kIsOptional<std::optional<T>> = true;
template <typename T>
constexpr bool kIsMap = false;
template <typename T>
constexpr bool kIsMap<std::map<std::string, T>> = true;

/// What an update says takes the place of what was there; zero and empty say nothing.
template <typename T>
void merge(T& into, const T& from) {
  if constexpr (codec::detail::Described<T>) {
    boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>(
        [&](auto member) { merge(into.*member.pointer, from.*member.pointer); });
  } else if constexpr (kIsOptional<T>) {
    if (!from) return;
    if (!into) into.emplace();
    merge(*into, *from);
  } else if constexpr (kIsMap<T>) {
    for (const auto& [key, value] : from) into[key] = value;
  } else if (!(codec::detail::is_empty_value(from))) {
    into = from;
  }
}

/// Later commands, and whoever reads the state, see the limits that hold now.
void remember(oci::Spec& spec, const oci::Resources& resources) {
  if (!spec.linux_) spec.linux_.emplace();
  auto& known = spec.linux_->resources;
  if (!known) known.emplace();
  merge(*known, resources);
  if (!resources.cpu) return;
  // Of these two zero is a value: no burst any more, and no longer idle.
  if (resources.cpu->burst) known->cpu->burst = resources.cpu->burst;
  if (resources.cpu->idle) known->cpu->idle = resources.cpu->idle;
}

Result<int> update(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  if (TRY(context.store.status(record)) == Status::Stopped) return fail(Code::Conflict, "container not running");
  auto resources = TRY(resources_of(context.args));
  auto spec = TRY(context.store.load_spec(record.id));
  auto host = TRY(cgroup::detect_host());
  auto cgroups = cgroup::Cgroup::open(host, record.cgroup_path);
  if (!record.systemd_unit.empty()) TRY(cgroup::update_unit(record.systemd_unit, resources, host.version));
  TRY(cgroups.update(resources));
  remember(spec, resources);
  TRY(context.store.save(record, spec));
  return 0;
}

constexpr Command kCommands[] = {{"update", "<container-id>", "update container resource constraints", kFlags, update}};

}  // namespace

std::span<const Command> update_commands() {
  return kCommands;
}

}  // namespace sampan::bin
