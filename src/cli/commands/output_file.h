#pragma once
// cli/commands/output_file: archives that go to --output or to stdout.

#include <string>

#include "cli/app.h"

namespace sampan::cli {

/// Streams the answer of GET `path` to the file (a temporary one, renamed at the end: a failure leaves the old file),
/// or to stdout. Errors: InvalidArgument (stdout is a terminal), the daemon's, the file's.
Result<int> save_stream(App& app, const std::string& path, const std::string& file);

}  // namespace sampan::cli
