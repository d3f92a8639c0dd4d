#include "sys/program.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "sys/process.h"

namespace sampan::sys {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

int or_null_device(int fd) {
  return fd >= 0 ? fd : ::open("/dev/null", O_RDWR | O_CLOEXEC);
}

}  // namespace

void become_program(const Program& program) {
  auto argv = pointers(program.args), envp = pointers(program.env);
  int in = or_null_device(program.in), out = or_null_device(program.out);
  if (::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0 || !close_on_exec_from(3)) ::_exit(126);
  for (int fd : program.kept) ::fcntl(fd, F_SETFD, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(program.path.c_str(), argv.data(), envp.data());
  ::_exit(127);
}

}  // namespace sampan::sys
