#pragma once
// shim/restart: Docker's restart policies as a rule. Pure. The daemon applies it when there is one that answers; the
// shim when there is none.

#include <chrono>
#include <cstdint>

namespace sampan::shim {

struct RestartRule {
  enum class When { Never, OnFailure, Always } when = When::Never;
  int64_t most = 0;                    // OnFailure: how often; 0 is without end
  int64_t count = 0;                   // restarts so far
  std::chrono::milliseconds delay{0};  // used last
};
struct RestartPlan {
  bool restart = false;
  std::chrono::milliseconds delay{0};
};
/// The delay doubles from 100 ms to a minute and begins anew when the run lasted 10 s. `previous` is the one used last,
/// 0 for none. A container that was ended for its health is started again whatever its exit code, also without a rule,
/// unless a limited one is used up.
RestartPlan plan_restart(const RestartRule& rule, bool failed, bool unhealthy, std::chrono::milliseconds ran,
                         std::chrono::milliseconds previous);

}  // namespace sampan::shim
