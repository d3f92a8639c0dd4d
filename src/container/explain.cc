#include "container/explain.h"

#include <signal.h>

#include "codec/text.h"
#include "container/lifecycle.h"

namespace sampan::container {

namespace {

struct SignalMeaning {
  int number;
  const char* text;
};
constexpr SignalMeaning kMeanings[] = {
    {SIGSEGV, "the program touched memory that is not its own: a defect of the program"},
    {SIGBUS, "the program touched memory that is not there (a truncated file, a full /dev/shm)"},
    {SIGILL, "the program has an instruction that this processor does not know (built for another one?)"},
    {SIGFPE, "an arithmetic error of the program"},
    {SIGABRT, "the program gave up by itself: see its log"},
    {SIGSYS, "a system call that its seccomp profile forbids"},
    {SIGPIPE, "it wrote to a pipe that nobody reads"},
    {SIGKILL, "nobody asked for it through this daemon: a process on the host, or in the container, sent it"},
    {SIGXCPU, "it used up its limit of processor time"},
    {SIGXFSZ, "it wrote past its limit of file size"},
};

std::string human_size(int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  auto value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.4g} {}", value, kUnits[unit]);
}

/// "2026-01-02 03:04:05 UTC".
std::string human_time(const std::string& rfc3339) {
  if (rfc3339.size() < 19) return rfc3339;
  return rfc3339.substr(0, 10) + " " + rfc3339.substr(11, 8) + " UTC";
}

std::string start_words(const ContainerState& state) {
  std::string where;
  if (!state.ending.step.empty()) where += fmt::format(", at the step \"{}\"", state.ending.step);
  if (!state.ending.path.empty()) where += fmt::format(", for {}", state.ending.path);
  return fmt::format("It could not be started{} (exit code {}): {}.", where, state.exit_code, state.error);
}

/// The first file that the text names: in quotes, or after a blank. A program that is looked up has no slash.
std::string named_path(std::string_view text) {
  constexpr std::string_view kProgram = "exec: \"";
  for (size_t at = 0; at < text.size(); ++at) {
    bool quoted = text[at] == '"' && at + 1 < text.size() && text[at + 1] == '/';
    bool bare = text[at] == ' ' && at + 1 < text.size() && text[at + 1] == '/';
    bool program = text.substr(at).starts_with(kProgram);
    if (!quoted && !bare && !program) continue;
    size_t begin = at + (program ? kProgram.size() : 1);
    auto name = text.substr(begin, text.find_first_of(bare ? " :,\"" : "\"", begin) - begin);
    if (name.size() > (program ? 0u : 1u)) return std::string(name);
  }
  return "";
}

std::string run_time(const ContainerState& state) {
  auto from = codec::parse_rfc3339(state.started_at), to = codec::parse_rfc3339(state.finished_at);
  if (!from || !to || to->unix_nanos < from->unix_nanos) return "";
  return fmt::format(" after {:.1f} s", static_cast<double>(to->unix_nanos - from->unix_nanos) / 1e9);
}

std::string memory_words(const ContainerState& state) {
  if (state.ending.memory_limit > 0)
    return fmt::format("it hit its memory limit of {}", human_size(state.ending.memory_limit));
  return "it has no memory limit of its own, so the host (or a parent control group) had none left";
}

std::string code_words(int64_t code) {
  if (code == 0) return "exit code 0, which means success";
  if (code == 126) return "exit code 126: a program it wanted to run cannot be executed";
  if (code == 127) return "exit code 127: a program it wanted to run does not exist";
  if (code > 128 && code <= 128 + 64)
    return fmt::format("exit code {}: as a shell reports a child that {} ended", code, signal_name(code - 128));
  return fmt::format("exit code {}", code);
}

std::string signal_words(int64_t signal) {
  std::string out = fmt::format("killed by signal {} ({})", signal, signal_name(signal));
  for (const auto& row : kMeanings) {
    if (row.number == signal) return out + ": " + row.text;
  }
  return out;
}

std::string ending_words(const ContainerRecord& record) {
  const auto& state = record.state;
  const std::string& cause = state.ending.cause;
  const std::string at = run_time(state);
  if (cause == "start") return start_words(state);
  if (cause == "lost")
    return fmt::format("Nobody saw how it ended ({}); exit code {} stands for that.", state.error, state.exit_code);
  if (cause == "oom")
    return fmt::format("The kernel killed its main process for want of memory{}: {}.", at, memory_words(state));
  if (cause == "unhealthy") return fmt::format("It was ended{} because its health check failed.", at);
  if (cause == "stop") {
    std::string how = state.ending.signal ? fmt::format("signal {} ({}) ended it", state.ending.signal,
                                                        signal_name(state.ending.signal))
                                          : "it left with " + code_words(state.exit_code);
    return fmt::format("A client asked for its end (docker {}), and {}{}.",
                       state.ending.asked.empty() ? "stop" : state.ending.asked, how, at);
  }
  if (cause == "signal") return fmt::format("Its main process was {}{}.", signal_words(state.ending.signal), at);
  return fmt::format("Its main process ended by itself{} with {}.", at, code_words(state.exit_code));
}

std::string health_words(const ContainerRecord& record) {
  const auto& health = record.state.health;
  if (!health || health->status != "unhealthy" || health->log.empty()) return "";
  const auto& last = health->log.back();
  return fmt::format(" Its health check failed {} time{} in a row; the last one {}: {}", health->failing_streak,
                     health->failing_streak == 1 ? "" : "s",
                     last.exit_code == -1 ? "ran out of time" : fmt::format("left with {}", last.exit_code),
                     last.output.empty() ? "(no output)" : last.output);
}

std::string policy_words(const ContainerRecord& record) {
  const auto& policy = record.host_config.restart_policy;
  std::string out = policy.name.empty() ? "no" : policy.name;
  if (policy.maximum_retry_count > 0) out += fmt::format(":{}", policy.maximum_retry_count);
  return out;
}

std::string times_words(int64_t count) {
  return count == 1 ? "once" : fmt::format("{} times", count);
}

std::string after_words(const ContainerRecord& record) {
  const auto& policy = record.host_config.restart_policy;
  std::string out;
  if (record.state.oom_killed && record.state.ending.cause != "oom")
    out += fmt::format(" Before that memory ran out: {}, and one of its processes was killed.",
                       memory_words(record.state));
  if (record.restart_count > 0) out += fmt::format(" It had been restarted {}.", times_words(record.restart_count));
  if (policy.name == "on-failure" && policy.maximum_retry_count > 0 &&
      record.restart_count >= policy.maximum_retry_count && !record.manually_stopped) {
    out += fmt::format(" Its restart policy, {}, allows no more.", policy_words(record));
  }
  return out;
}

std::string running_words(const ContainerRecord& record) {
  std::string out =
      fmt::format("It runs since {} (process {}).", human_time(record.state.started_at), record.state.pid);
  if (record.restart_count > 0)
    out += fmt::format(" Its restart policy, {}, has restarted it {}.", policy_words(record),
                       times_words(record.restart_count));
  if (record.state.oom_killed)
    out += fmt::format(" One of its processes was killed for want of memory: {}.", memory_words(record.state));
  return out + health_words(record);
}

}  // namespace

Explanation explain(const ContainerRecord& record) {
  const auto& state = record.state;
  switch (status_of(record)) {
    case Status::Running:
      return {"running", running_words(record)};
    case Status::Paused:
      return {"paused", "It is paused: its processes are frozen until it is unpaused. " + running_words(record)};
    case Status::Restarting:
      return {"restarting", ending_words(record) +
                                fmt::format(" It waits for its restart (policy {}; restarted {} so far).",
                                            policy_words(record), times_words(record.restart_count)) +
                                health_words(record)};
    case Status::Removing:
      return {"removing", "It is being removed."};
    case Status::Dead:
      return {"dead", fmt::format("Its removal failed half-way{}; remove it again.",
                                  state.error.empty() ? "" : ": " + state.error)};
    default:
      break;
  }
  if (state.ending.cause.empty()) {
    if (!record.has_been_started) return {"created", "It was created but has never been started."};
    return {"exit", fmt::format("Its main process ended{} with {}.", run_time(state), code_words(state.exit_code))};
  }
  return {state.ending.cause, ending_words(record) + after_words(record)};
}

FailedStep failed_step(const Error& error, std::string_view step) {
  FailedStep out{std::string(step), named_path(error.root_message())};
  std::string whole = error.message();
  size_t root = error.root_message().size() + 2;  // and the colon before it
  std::string_view contexts = std::string_view(whole).substr(0, whole.size() > root ? whole.size() - root : 0);
  if (!contexts.empty()) out.step += (out.step.empty() ? "" : ": ") + std::string(contexts);
  if (out.path.empty()) out.path = named_path(contexts);
  return out;
}

std::map<std::string, std::string> ending_attributes(const ContainerRecord& record) {
  const auto& ending = record.state.ending;
  std::map<std::string, std::string> out;
  if (!ending.cause.empty()) out["reason"] = ending.cause;
  if (ending.signal != 0) out["signal"] = std::to_string(ending.signal);
  if (record.state.oom_killed) out["oomKilled"] = "true";
  if (ending.memory_limit > 0) out["memoryLimit"] = std::to_string(ending.memory_limit);
  if (!record.state.error.empty()) out["error"] = record.state.error;
  if (!ending.step.empty()) out["step"] = ending.step;
  if (!ending.path.empty()) out["path"] = ending.path;
  return out;
}

}  // namespace sampan::container
