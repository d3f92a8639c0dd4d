#pragma once
// container/explain: why a container is in the state that it is in, in plain words. Pure: everything is in the record.

#include <map>
#include <string>

#include "base/result.h"
#include "container/record.h"

namespace sampan::container {

struct Explanation {
  /// One word for programs:
  ///   created running paused restarting removing dead      it has no end to explain
  ///   exit signal oom stop unhealthy lost start            how the last run ended; "start": it could not begin
  std::string reason;
  /// One or more sentences for people.
  std::string text;
};
Explanation explain(const ContainerRecord& record);

/// What a start was doing when it failed, and the file that this was about ("" when the error names none).
struct FailedStep {
  std::string step, path;
};
/// `step` is the engine's; the runtime's own, which its error brings as contexts, follows it: "create: mount rootfs".
FailedStep failed_step(const Error& error, std::string_view step);

/// The attributes that the "die" event carries beyond Docker's.
std::map<std::string, std::string> ending_attributes(const ContainerRecord& record);

/// "SIGTERM"; "signal 70" for one without a name.
std::string signal_name(int64_t number);

}  // namespace sampan::container
