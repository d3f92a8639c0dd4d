// sampan-init: the process 1 of a container that asked for one (`--init`). It runs the command as its child, passes
// every signal on, reaps whatever is left to it, and ends as the command ended.
//
//   docker-init [--] command [argument...]
//
// The command gets its own process group and, when there is a terminal, the terminal's foreground, so that ^C reaches
// it once and directly. Signals come by sigtimedwait(2), not by handlers: nothing can interrupt anything.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// Faults of this process itself must kill it, not wait in a queue.
static const int kOwnSignals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};

static void fail(const char* what) {
  dprintf(STDERR_FILENO, "docker-init: %s: %s\n", what, strerror(errno));
}

static void run_command(char** arguments, const sigset_t* old_mask) {
  setpgid(0, 0);
  // Fails without a terminal (ENOTTY, ENXIO), which is fine. SIGTTOU is still blocked or ignored here.
  signal(SIGTTOU, SIG_IGN);
  tcsetpgrp(STDIN_FILENO, getpgrp());
  signal(SIGTTOU, SIG_DFL);
  signal(SIGTTIN, SIG_DFL);
  sigprocmask(SIG_SETMASK, old_mask, NULL);
  execvp(arguments[0], arguments);
  int error = errno;
  fail(arguments[0]);
  _exit(error == ENOENT || error == ENOTDIR ? 127 : 126);
}

// Reaps everything that has ended. Returns the command's exit status once it is among them, -1 before.
static int reap(pid_t command) {
  int result = -1;
  for (;;) {
    int status;
    pid_t child = waitpid(-1, &status, WNOHANG);
    if (child < 0 && errno == EINTR) continue;
    if (child <= 0) return result;
    if (child != command) continue;
    result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}

static int serve(pid_t command, const sigset_t* waited) {
  for (;;) {
    siginfo_t info;
    int signal = sigwaitinfo(waited, &info);
    if (signal < 0) continue;  // EINTR: a stop and a continuation of ours
    if (signal != SIGCHLD) {
      kill(command, signal);
      continue;
    }
    int status = reap(command);
    if (status >= 0) return status;
  }
}

int main(int argc, char** argv) {
  char** arguments = argv + 1;
  if (argc > 1 && strcmp(argv[1], "--") == 0) ++arguments;
  if (!*arguments) {
    dprintf(STDERR_FILENO, "usage: docker-init [--] command [argument...]\n");
    return 2;
  }
  // Outside a pid namespace orphans go to the nearest subreaper.
  if (getpid() != 1) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  sigset_t waited, old_mask;
  sigfillset(&waited);
  for (size_t i = 0; i < sizeof kOwnSignals / sizeof kOwnSignals[0]; ++i) sigdelset(&waited, kOwnSignals[i]);
  sigprocmask(SIG_SETMASK, &waited, &old_mask);
  signal(SIGTTIN, SIG_IGN);
  signal(SIGTTOU, SIG_IGN);
  pid_t command = fork();
  if (command < 0) {
    fail("fork");
    return 126;
  }
  if (command == 0) run_command(arguments, &old_mask);
  return serve(command, &waited);
}
