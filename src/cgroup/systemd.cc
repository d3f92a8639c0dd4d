#include "cgroup/systemd.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strings.h"
#include "cgroup/internal/dbus.h"
#include "cgroup/internal/unit_properties.h"
#include "sys/error.h"

namespace sampan::cgroup {
namespace {

using internal::Bus;
using internal::UnitProperty;
using internal::WireMessage;
using internal::WireWriter;

constexpr std::string_view kSlice = ".slice";

Bus::Call to_systemd(const char* member, const char* signature) {
  return {"org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", member,
          signature};
}

/// systemd emits signals only while somebody wants them, and the bus delivers only what was asked for.
Result<Bus> connect() {
  Bus bus = TRY(Bus::connect());
  WireWriter rule;
  rule.string(
      "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',"
      "member='JobRemoved',path='/org/freedesktop/systemd1'");
  TRY(bus.call({"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s"}, rule));
  TRY(bus.call(to_systemd("Subscribe", ""), {}));
  return bus;
}

/// Waits for the end of the job that the answer names. Returns its result: "done", "failed", "timeout", ...
Result<std::string> await_job(Bus& bus, const WireMessage& answer) {
  auto job = internal::body_words(answer);
  if (job.empty()) return fail(Code::Unavailable, "systemd gave no job");
  auto removed = TRY(bus.await_signal([&](const WireMessage& signal) {
    auto words = internal::body_words(signal);  // id, job, unit, result
    return signal.member == "JobRemoved" && words.size() >= 4 && words[1] == job[0];
  }));
  return internal::body_words(removed)[3];
}

void reset_failed(Bus& bus, const std::string& unit) {
  WireWriter body;
  body.string(unit);
  (void)bus.call(to_systemd("ResetFailedUnit", "s"), body);  // most units have not failed
}

std::vector<UnitProperty> scope_properties(const ScopeOptions& options, pid_t pid) {
  const char* io = options.version == Version::V2 ? "IOAccounting" : "BlockIOAccounting";
  return {{"Description", "sampan container " + options.place.unit},
          {"Slice", options.place.slice},
          {"Delegate", true},
          {"PIDs", std::vector<uint32_t>{static_cast<uint32_t>(pid)}},
          {"MemoryAccounting", true},
          {"CPUAccounting", true},
          {io, true},
          {"TasksAccounting", true},
          {"DefaultDependencies", false}};
}

Result<void> start_unit(Bus& bus, const ScopeOptions& options, const std::vector<UnitProperty>& properties) {
  WireWriter body;
  body.string(options.place.unit);
  body.string("replace");
  body.properties(properties);
  body.end_array(body.begin_array(8));  // auxiliary units: none
  auto call = to_systemd("StartTransientUnit", "ssa(sv)a(sa(sv))");
  auto answer = bus.call(call, body);
  if (!answer && answer.error().message().find("UnitExists") != std::string::npos) {
    reset_failed(bus, options.place.unit);  // what a failed one left; a live one stays and refuses again
    answer = bus.call(call, body);
  }
  auto job = TRY(std::move(answer));
  std::string outcome = TRY(await_job(bus, job));
  if (outcome == "done") return {};
  reset_failed(bus, options.place.unit);
  return fail(Code::Unavailable, "error creating systemd unit `{}`: got `{}`", options.place.unit, outcome);
}

/// A child that waits to be killed, or for the end of its parent.
Result<pid_t> fork_placeholder() {
  pid_t parent = ::getpid();
  pid_t pid = ::fork();
  if (pid < 0) return sys::sys_error("fork");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  for (;;) ::pause();
}

}  // namespace

Result<std::string> expand_slice(const std::string& slice) {
  auto invalid = [&] { return fail(Code::InvalidArgument, "invalid slice name: {}", slice); };
  if (!slice.ends_with(kSlice) || slice.size() == kSlice.size() || slice.find('/') != std::string::npos)
    return invalid();
  std::string name = slice.substr(0, slice.size() - kSlice.size()), path, prefix;
  if (name == "-") return std::string("/");
  for (const auto& part : split(name, '-')) {
    if (part.empty()) return invalid();
    prefix += (prefix.empty() ? "" : "-") + part;
    path += "/" + prefix + std::string(kSlice);
  }
  return path;
}

Result<UnitPlace> parse_unit_place(const std::string& cgroups_path, const std::string& id) {
  auto parts = split(cgroups_path.empty() ? "system.slice:sampan:" + id : cgroups_path, ':');
  if (parts.size() != 3)
    return fail(Code::InvalidArgument,
                "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"{}\" instead",
                cgroups_path);
  UnitPlace place;
  place.slice = parts[0].empty() ? "system.slice" : parts[0];
  if (parts[2].empty() || parts[2].ends_with(kSlice) || (parts[1] + parts[2]).find('/') != std::string::npos)
    return fail(Code::InvalidArgument, "invalid scope name \"{}\" in cgroupsPath \"{}\"", parts[2], cgroups_path);
  place.unit = (parts[1].empty() ? "" : parts[1] + "-") + parts[2] + ".scope";
  std::string above = TRY(expand_slice(place.slice));
  place.path = (above == "/" ? "" : above) + "/" + place.unit;
  return place;
}

Result<SystemdScope> SystemdScope::start(const ScopeOptions& options) {
  auto limits = options.resources;
  limits.pids.reset();  // settle() sets it
  limits.unified.erase("pids.max");
  auto more = TRY(internal::annotation_properties(options.annotations));
  auto resources = TRY(internal::limit_properties(limits, options.version));
  auto bus = TRY_CONTEXT(connect(), "systemd");
  SystemdScope scope(options, TRY(fork_placeholder()));
  auto properties = scope_properties(options, scope.placeholder_);
  properties.insert(properties.end(), more.begin(), more.end());
  properties.insert(properties.end(), resources.begin(), resources.end());
  auto started = start_unit(bus, options, properties);
  if (started) return scope;
  scope.end_placeholder();  // and there is no unit to stop: another's of that name must live on
  return std::move(started).error().context("unable to start unit \"" + options.place.unit + "\"");
}

SystemdScope::SystemdScope(SystemdScope&& other) noexcept
    : options_(other.options_), placeholder_(std::exchange(other.placeholder_, -1)) {}

SystemdScope::~SystemdScope() {
  if (placeholder_ < 0) return;
  end_placeholder();
  (void)stop_unit(options_.place.unit);  // with its last process systemd forgets it anyway
}

void SystemdScope::end_placeholder() {
  if (placeholder_ < 0) return;
  ::kill(placeholder_, SIGKILL);
  while (::waitpid(placeholder_, nullptr, 0) < 0 && errno == EINTR) {
  }
  placeholder_ = -1;
}

Result<void> SystemdScope::settle() {
  end_placeholder();
  oci::Resources tasks;
  tasks.pids = options_.resources.pids;
  if (auto unified = options_.resources.unified.find("pids.max"); unified != options_.resources.unified.end())
    tasks.unified.insert(*unified);
  if (!tasks.pids && tasks.unified.empty()) return {};
  return update_unit(options_.place.unit, tasks, options_.version);
}

Result<void> update_unit(const std::string& unit, const oci::Resources& resources, Version version) {
  auto properties = TRY(internal::limit_properties(resources, version));
  if (properties.empty()) return {};
  auto bus = TRY_CONTEXT(Bus::connect(), "systemd");
  WireWriter body;
  body.string(unit);
  body.u32(1);  // until the next boot only
  body.properties(properties);
  TRY_CONTEXT(bus.call(to_systemd("SetUnitProperties", "sba(sv)"), body), "unable to set unit properties");
  return {};
}

Result<void> stop_unit(const std::string& unit) {
  auto bus = TRY_CONTEXT(connect(), "systemd");
  WireWriter body;
  body.string(unit);
  body.string("replace");
  auto answer = bus.call(to_systemd("StopUnit", "ss"), body);
  if (answer) {
    auto outcome = await_job(bus, *answer);  // whatever came of it: the reset below lets systemd forget the unit
    if (!outcome) return std::move(outcome).error().context("stop unit \"" + unit + "\"");
  } else if (answer.error().message().find("NoSuchUnit") == std::string::npos) {
    return std::move(answer).error();
  }
  reset_failed(bus, unit);
  return {};
}

}  // namespace sampan::cgroup
