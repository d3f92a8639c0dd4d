#pragma once
// daemon/start: what is done with the settings before anything answers.

#include "daemon/settings.h"
#include "engine/engine.h"

namespace sampan::daemon {

/// Errors: NotFound (no shim).
Result<engine::EngineOptions> engine_options(const Settings& settings);
/// Of this process and those that it starts. Before the first of them. Errors: EACCES (lower, without the capability).
Result<void> set_oom_score(const Settings& settings);
/// Puts the proxies where the registry client looks for them. Before the first thread.
void use_proxies(const Settings& settings);

}  // namespace sampan::daemon
