// events: samples at an interval, and at once when memory ran out.
#include <poll.h>

#include <algorithm>
#include <chrono>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "bin/runtime/stats_event.h"
#include "cgroup/cgroup.h"
#include "cgroup/oom_watch.h"
#include "codec/text.h"
#include "sys/child.h"
#include "sys/error.h"
#include "sys/process.h"

namespace sampan::bin {
namespace {

namespace json = codec::json;
using Clock = std::chrono::steady_clock;

constexpr Flag kFlags[] = {
    {"interval", "", Takes::Value, "set the stats collection interval (default: 5s)"},
    {"stats", "", Takes::Nothing, "display the container's stats then exit"},
};

struct Watched {
  const cgroup::HostCgroups& host;
  const cgroup::Cgroup& cgroups;
  const Record& record;
};

Result<void> print_stats(const Watched& watched) {
  auto data = TRY(stats_data(watched.host, watched.cgroups, watched.record.pid));
  print(codec::format_json(json::object{{"type", "stats"}, {"id", watched.record.id}, {"data", std::move(data)}}) +
        "\n");
  return {};
}

/// A duration as Go writes it; a bare number is seconds.
Result<std::chrono::nanoseconds> interval_of(const Args& args) {
  std::string text = args.get("interval", "5s");
  if (auto seconds = parse_int(text); seconds && *seconds < 1'000'000) text += "s";
  auto parsed = codec::parse_go_duration(text);
  if (!parsed)
    return fail(Code::InvalidArgument, "invalid value \"{}\" for flag -interval: parse error", args.get("interval"));
  if (*parsed <= 0) return fail(Code::InvalidArgument, "duration interval must be greater than 0");
  return std::chrono::nanoseconds(*parsed);
}

constexpr int64_t kLookEveryMs = 100;

/// Until the container has gone. A host that cannot tell of memory running out still gives samples.
Result<void> follow(const Watched& watched, Context& context, std::chrono::nanoseconds interval) {
  auto init = TRY(sys::open_pidfd(watched.record.pid));
  auto oom = cgroup::OomWatch::open(watched.cgroups);
  if (!oom) context.warn(oom.error().message());
  const bool pollable = sys::is_pollable(init);
  pollfd entries[] = {{pollable ? init.get() : -1, POLLIN, 0}, {oom ? oom->fd() : -1, POLLIN, 0}};
  auto next = Clock::now() + interval;
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    int timeout = static_cast<int>(std::clamp<int64_t>(left, 0, pollable ? INT32_MAX : kLookEveryMs));
    int ready = ::poll(entries, std::size(entries), timeout);
    if (ready < 0 && errno != EINTR) return sys::sys_error("poll");
    if (ready > 0 && entries[1].revents) {
      auto news = TRY(oom->take());
      for (uint64_t i = 0; i < std::min<uint64_t>(news.count, 100); ++i)
        print(codec::format_json(json::object{{"type", "oom"}, {"id", watched.record.id}}) + "\n");
      if (news.gone) return {};
    }
    if (ready > 0 && entries[0].revents) return {};
    if (!pollable && !sys::is_running(init)) return {};
    if (Clock::now() < next) continue;
    next += interval;
    if (auto printed = print_stats(watched); !printed && printed.error().code() != Code::NotFound) return printed;
  }
}

Result<int> events(Context& context) {
  auto interval = TRY(interval_of(context.args));
  auto record = TRY(context.store.load(TRY(container_id(context))));
  if (TRY(context.store.status(record)) == Status::Stopped)
    return fail(Code::Conflict, "container with id {} is not running", record.id);
  auto host = TRY(cgroup::detect_host());
  auto cgroups = cgroup::Cgroup::open(host, record.cgroup_path);
  Watched watched{host, cgroups, record};
  if (context.args.has("stats"))
    TRY(print_stats(watched));
  else
    TRY(follow(watched, context, interval));
  return 0;
}

constexpr Command kCommands[] = {
    {"events", "<container-id>",
     "display container events such as OOM notifications, cpu, memory, and IO usage statistics", kFlags, events},
};

}  // namespace

std::span<const Command> events_commands() {
  return kCommands;
}

}  // namespace sampan::bin
