#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "runtime/internal/steps.h"

namespace sampan::runtime::internal {
namespace {

/// 0, or why the file cannot be run. As the container's user, with its effective ids.
int why_not_runnable(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) < 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) < 0) return errno;
  return (info.st_mode & 0111) ? 0 : EACCES;
}

Error refusal(const std::string& program, int err) {
  if (err == ENOENT || err == ENOTDIR) {
    const char* words = err == ENOENT ? "no such file or directory" : "not a directory";
    return Error(Code::NotFound, fmt::format("exec: \"{}\": stat {}: {}", program, program, words), err);
  }
  if (err == EISDIR) return Error(Code::InvalidArgument, fmt::format("exec: \"{}\": is a directory", program), err);
  return Error(Code::PermissionDenied, fmt::format("exec: \"{}\": permission denied", program), err);
}

std::string_view path_variable(const std::vector<std::string>& env) {
  std::string_view value;
  for (const auto& entry : env)
    if (entry.starts_with("PATH=")) value = std::string_view(entry).substr(5);
  return value;
}

}  // namespace

Result<void> find_program(Child& child) {
  const std::string& wanted = child.process.args.front();
  if (wanted.find('/') != std::string::npos) {
    if (int err = why_not_runnable(wanted)) return refusal(wanted, err);
    child.program = wanted;
    return {};
  }
  for (const auto& dir : split(path_variable(child.env), ':')) {
    std::string candidate = (dir.empty() ? "." : dir) + "/" + wanted;
    if (wanted.empty() || why_not_runnable(candidate) != 0) continue;
    child.program = std::move(candidate);
    return {};
  }
  return Error(Code::NotFound, fmt::format("exec: \"{}\": executable file not found in $PATH", wanted), ENOENT);
}

}  // namespace sampan::runtime::internal
