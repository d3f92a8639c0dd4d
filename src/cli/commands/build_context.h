#pragma once
// cli/commands/build_context: what build sends: a directory, an archive from stdin, a Dockerfile from stdin, or a URL.

#include <memory>
#include <string>

#include "base/io.h"
#include "base/result.h"

namespace sampan::cli {

struct BuildContext {
  std::unique_ptr<ByteSource> body;  // null: the daemon fetches `remote`
  std::string remote;
  std::string dockerfile;  // its name inside the context
  uint64_t size = 0;       // of the files, 0 when it is not known
};

/// `path`: the argument; `dockerfile`: --file, may be empty or "-".
/// Errors: Docker's "unable to prepare context: ...".
Result<BuildContext> open_build_context(const std::string& path, const std::string& dockerfile);

}  // namespace sampan::cli
