#include <signal.h>

#include "base/strings.h"
#include "container/explain.h"
#include "container/plan.h"

namespace sampan::container {
namespace {

struct SignalName {
  const char* name;
  int number;
};
constexpr SignalName kSignals[] = {
    {"ABRT", SIGABRT},     {"ALRM", SIGALRM},   {"BUS", SIGBUS},   {"CHLD", SIGCHLD}, {"CLD", SIGCHLD},
    {"CONT", SIGCONT},     {"FPE", SIGFPE},     {"HUP", SIGHUP},   {"ILL", SIGILL},   {"INT", SIGINT},
    {"IO", SIGIO},         {"IOT", SIGABRT},    {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"POLL", SIGIO},
    {"PROF", SIGPROF},     {"PWR", SIGPWR},     {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV}, {"STKFLT", SIGSTKFLT},
    {"STOP", SIGSTOP},     {"SYS", SIGSYS},     {"TERM", SIGTERM}, {"TRAP", SIGTRAP}, {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU},   {"URG", SIGURG},   {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
    {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH}, {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}};
// The kernel's range; libc keeps the first two for itself.
constexpr int kRealtimeMin = 34, kRealtimeMax = 64;

}  // namespace

Result<int> parse_signal(std::string_view text) {
  if (auto number = parse_int(text)) {
    if (*number > 0 && *number <= kRealtimeMax) return static_cast<int>(*number);
    return fail(Code::InvalidArgument, "invalid signal: {}", text);
  }
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name = name.substr(3);
  for (const auto& row : kSignals) {
    if (name == row.name) return row.number;
  }
  auto realtime = [&](std::string_view prefix, int base, char sign) -> std::optional<int> {
    if (!name.starts_with(prefix)) return std::nullopt;
    if (name.size() == prefix.size()) return base;
    auto offset =
        name[prefix.size()] == sign ? parse_uint(std::string_view(name).substr(prefix.size() + 1)) : std::nullopt;
    if (!offset || *offset > kRealtimeMax - kRealtimeMin) return std::nullopt;
    return sign == '+' ? base + static_cast<int>(*offset) : base - static_cast<int>(*offset);
  };
  if (auto number = realtime("RTMIN", kRealtimeMin, '+')) return *number;
  if (auto number = realtime("RTMAX", kRealtimeMax, '-')) return *number;
  return fail(Code::InvalidArgument, "invalid signal: {}", text);
}

std::string signal_name(int64_t number) {
  for (const auto& row : kSignals) {
    if (row.number == number) return std::string("SIG") + row.name;
  }
  if (number >= kRealtimeMin && number <= kRealtimeMax) return fmt::format("SIGRTMIN+{}", number - kRealtimeMin);
  return fmt::format("signal {}", number);
}

int stop_signal(const ContainerConfig& config) {
  if (config.stop_signal.empty()) return SIGTERM;
  auto number = parse_signal(config.stop_signal);
  return number ? *number : SIGTERM;
}

}  // namespace sampan::container
