#pragma once
// The parent's half of making a process: the clone, and reading what the child reports.

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "runtime/internal/channel.h"
#include "runtime/internal/seccomp.h"
#include "runtime/internal/steps.h"
#include "runtime/runtime.h"

namespace sampan::runtime::internal {

struct Birth {
  ProcessPlan& process;
  const ContainerPlan* container = nullptr;
  const JoinPlan* join = nullptr;
  const cgroup::Cgroup* cgroups = nullptr;  // nullptr: stay in the caller's
  uint64_t namespaces = 0;                  // made by the clone
  int pid_namespace = -1;                   // joined around the clone
  bool user_namespace = false;              // joined by an intermediate process, so that the new ones belong to it
};

/// Clones the child, which runs its steps at once, and returns the parent's end of the channel.
Result<Channel> give_birth(const Birth& birth, Process& child);
/// The child's next message that is more than news: warnings and the console are put into `child` on the way, an
/// error is returned as one.
Result<Message> receive(Channel& channel, Process& child, std::string* text = nullptr);
/// What the agent that answers SCMP_ACT_NOTIFY is told.
struct Handover {
  const Agent& agent;
  const StateDocument& state;
};
/// Reads until the child's execve has closed the channel; hands the listener of its filter over on the way.
Result<void> await_exec(Channel& channel, Process& child, const Handover* handover = nullptr);
/// Reaps a child that went without a word, and says how.
Error death_of(Process& child);
void kill_and_reap(const Process& child);
/// Opens the null device on 0, 1 and 2 where nothing is open, so that no descriptor of ours takes their place.
Result<void> keep_standard_descriptors_open();

}  // namespace sampan::runtime::internal
