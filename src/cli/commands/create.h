#pragma once
// cli/commands/create: making a container from a command line, with the pull that may have to come first.

#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/values/body.h"

namespace sampan::cli {

/// Creates the container, pulling the image first as --pull says; writes --cidfile.
/// Errors: the daemon's, or the pull's; Conflict when the cidfile exists.
Result<std::string> create_from(App& app, const Arguments& arguments, const CreateRequest& request);

}  // namespace sampan::cli
