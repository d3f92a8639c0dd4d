#pragma once
// engine/step_runner: the steps of a build as ordinary containers of the engine.

#include <memory>

#include "build/build.h"
#include "engine/engine.h"

namespace sampan::engine {

/// The engine must outlive it. Threads: any; one build uses one runner.
std::unique_ptr<build::StepRunner> make_step_runner(Engine& engine);

}  // namespace sampan::engine
