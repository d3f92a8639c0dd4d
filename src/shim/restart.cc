#include "shim/restart.h"

#include <algorithm>

namespace sampan::shim {

RestartPlan plan_restart(const RestartRule& rule, bool failed, bool unhealthy, std::chrono::milliseconds ran,
                         std::chrono::milliseconds previous) {
  using namespace std::chrono_literals;
  RestartPlan plan;
  plan.restart = unhealthy || rule.when == RestartRule::When::Always;
  if (rule.when == RestartRule::When::OnFailure) {
    plan.restart = (failed || unhealthy) && (rule.most == 0 || rule.count < rule.most);
  }
  if (!plan.restart) return plan;
  bool fresh = previous <= 0ms || ran >= 10s;
  plan.delay = fresh ? 100ms : std::min<std::chrono::milliseconds>(previous * 2, 60s);
  return plan;
}

}  // namespace sampan::shim
