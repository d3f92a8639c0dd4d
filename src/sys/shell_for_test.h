#pragma once
// sys/shell_for_test: commands that make the trees which unit tests look at. Only tests include it: the product never
// runs a shell.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace sampan::sys {

/// `sh -c command`; its exit code, -1 when it could not be run or was killed.
inline int run_shell_for_test(const std::string& command) {
  std::string text = command;
  char shell[] = "sh", flag[] = "-c";
  char* arguments[] = {shell, flag, text.data(), nullptr};
  pid_t pid;
  int status;
  if (::posix_spawnp(&pid, "sh", nullptr, nullptr, arguments, environ) != 0) return -1;
  if (::waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

}  // namespace sampan::sys
