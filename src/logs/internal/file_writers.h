#pragma once
// logs/file_writers: the writers that end in a file of this host, and the one that hands on to a logger.

#include <memory>

#include "logs/logs.h"

namespace sampan::logs {

Result<std::unique_ptr<Writer>> open_json_writer(const WriterOptions& options);
/// The `local` driver, and the cache of drivers that send away.
Result<std::unique_ptr<Writer>> open_local_writer(const WriterOptions& options);
/// With options.forwarding. Errors: "failed to initialize logging driver: ..."
Result<std::unique_ptr<Writer>> open_forward_writer(const WriterOptions& options);

}  // namespace sampan::logs
