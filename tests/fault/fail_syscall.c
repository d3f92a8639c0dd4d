/* Runs a program and everything it starts under ptrace, counts their system calls, and makes one of them fail.
 *
 *   fail_syscall [-n N] [-m error|kill|eintr] [-a PID] [-o REPORT] -- PROGRAM ARG...
 *
 * Calls are counted from the program's own first instruction on, over the whole tree (fork, vfork, clone, CLONE_PARENT
 * too). A descendant that executes another program has become what the tree was made for: it is let go. The N-th call
 * is not executed:
 *   error   it answers an errno that this call can really have (a full disk, no memory, a bad device)
 *   kill    its process is killed there
 *   eintr   it answers EINTR; only calls that a signal can interrupt are counted
 * -a traces a process that is there already beside the program. The report is one line: the number of calls counted,
 * then the call that was hit, its errno, and "program" or "child". The exit status is the program's (128 + signal).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum mode { MODE_ERROR, MODE_KILL, MODE_EINTR };

/* These cannot fail, or only the C library calls them, which then goes on by mmap or ends before main(). */
static const int kNeverFail[] = {
    SYS_exit,        SYS_exit_group,      SYS_rt_sigreturn, SYS_restart_syscall, SYS_getpid,  SYS_gettid,
    SYS_getppid,     SYS_getuid,          SYS_geteuid,      SYS_getgid,          SYS_getegid, SYS_umask,
    SYS_sched_yield, SYS_set_tid_address, SYS_rseq,         SYS_set_robust_list, SYS_munmap,  SYS_brk,
#ifdef SYS_arch_prctl
    SYS_arch_prctl,
#endif
};
static const int kNoSpace[] = {
    SYS_write,        SYS_pwrite64,  SYS_mkdirat,   SYS_symlinkat, SYS_linkat, SYS_renameat2, SYS_mknodat,
    SYS_memfd_create, SYS_fallocate, SYS_ftruncate, SYS_fsync,     SYS_bind,   SYS_renameat,
#ifdef SYS_mkdir
    SYS_mkdir,        SYS_symlink,   SYS_rename,
#endif
};
static const int kNoMemory[] = {SYS_mmap,     SYS_mremap,     SYS_mprotect,   SYS_clone,     SYS_clone3,
                                SYS_execve,   SYS_seccomp,    SYS_prctl,      SYS_keyctl,    SYS_setsid,
                                SYS_unshare,  SYS_mount,      SYS_pivot_root, SYS_setgroups, SYS_socket,
                                SYS_fsconfig, SYS_move_mount, SYS_sendto,     SYS_sendmsg,   SYS_setns};
static const int kInterruptible[] = {
    SYS_read,    SYS_write, SYS_recvmsg, SYS_recvfrom, SYS_sendmsg, SYS_sendto,
    SYS_accept4, SYS_ppoll, SYS_waitid,  SYS_wait4,    SYS_connect, SYS_openat,
#ifdef SYS_poll
    SYS_poll,    SYS_open,
#endif
};

static int listed(const int* list, size_t count, long number) {
  for (size_t i = 0; i < count; ++i)
    if (list[i] == number) return 1;
  return 0;
}

/* What is known of one traced process. */
struct tracee {
  pid_t pid;
  int hit; /* answer this errno at the end of the call it is in */
};

static struct tracee tracees[256];
static enum mode mode = MODE_ERROR;
static long wanted, counted;
static pid_t program;
static int counting; /* the program's own execve has happened */
static char report_text[256];

static void die(const char* what) {
  perror(what);
  exit(125);
}

static struct tracee* tracee_of(pid_t pid) {
  struct tracee* unused = NULL;
  for (size_t i = 0; i < COUNT(tracees); ++i) {
    if (tracees[i].pid == pid) return &tracees[i];
    if (!tracees[i].pid && !unused) unused = &tracees[i];
  }
  if (!unused) die("too many processes");
  *unused = (struct tracee){pid, 0};
  return unused;
}

static void forget(pid_t pid) {
  for (size_t i = 0; i < COUNT(tracees); ++i)
    if (tracees[i].pid == pid) tracees[i] = (struct tracee){0, 0};
}

static void skip_call(pid_t pid) {
#if defined(__x86_64__)
  ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1L);
#elif defined(__aarch64__)
  int none = -1;
  struct iovec part = {&none, sizeof none};
  ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &part);
#endif
}

static void set_answer(pid_t pid, long answer) {
#if defined(__x86_64__)
  ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), answer);
#elif defined(__aarch64__)
  struct user_regs_struct registers;
  struct iovec part = {&registers, sizeof registers};
  ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part);
  registers.regs[0] = (unsigned long)answer;
  ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part);
#endif
}

static int errno_for(long number) {
  if (mode == MODE_EINTR) return EINTR;
  if (listed(kNoSpace, COUNT(kNoSpace), number)) return ENOSPC;
  if (listed(kNoMemory, COUNT(kNoMemory), number)) return ENOMEM;
  return EIO;
}

static int counts(long number) {
  if (mode == MODE_EINTR) return listed(kInterruptible, COUNT(kInterruptible), number);
  return !listed(kNeverFail, COUNT(kNeverFail), number);
}

static void strike(struct tracee* tracee, long number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);
  tracee->hit = errno_for(number);
  snprintf(report_text, sizeof report_text, " %s %s %s", name ? name : "?",
           mode == MODE_KILL ? "SIGKILL" : strerrorname_np(tracee->hit), tracee->pid == program ? "program" : "child");
  free(name);
  if (mode == MODE_KILL) {
    skip_call(tracee->pid);
    kill(tracee->pid, SIGKILL);
  } else if (number != SYS_close) { /* close frees the descriptor whatever it answers */
    skip_call(tracee->pid);
  }
}

static void on_syscall(struct tracee* tracee) {
  struct __ptrace_syscall_info info;
  if (!counting || ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, sizeof info, &info) < 0) return;
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    if (counts((long)info.entry.nr) && ++counted == wanted) strike(tracee, (long)info.entry.nr);
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && tracee->hit) {
    set_answer(tracee->pid, -tracee->hit);
    tracee->hit = 0;
  }
}

/* One stop of one process: handle it and let it go on. */
static void on_stop(pid_t pid, int status) {
  struct tracee* tracee = tracee_of(pid);
  int signal = WSTOPSIG(status), event = status >> 16, deliver = 0;
  if (event == PTRACE_EVENT_EXEC) {
    if (pid == program) {
      counting = 1;
    } else {
      ptrace(PTRACE_DETACH, pid, 0, 0);
      forget(pid);
      return;
    }
  } else if (event == PTRACE_EVENT_STOP && (signal == SIGSTOP || signal == SIGTSTP)) {
    ptrace(PTRACE_LISTEN, pid, 0, 0); /* stopped by a real signal: stays so */
    return;
  } else if (signal == (SIGTRAP | 0x80)) {
    on_syscall(tracee);
  } else if (event == 0) {
    deliver = signal;
  }
  ptrace(PTRACE_SYSCALL, pid, 0, deliver);
}

static void seize(pid_t pid) {
  long options =
      PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0) die("ptrace");
}

static pid_t start(char** argv) {
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) < 0) die("pipe");
  pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    char byte;
    close(gate[1]);
    while (read(gate[0], &byte, 1) < 0 && errno == EINTR) {
    }
    execv(argv[0], argv);
    die(argv[0]);
  }
  close(gate[0]);
  program = pid;
  seize(pid);
  close(gate[1]);
  return pid;
}

static void write_report(const char* path) {
  FILE* file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld%s\n", counted, report_text);
  fclose(file);
}

int main(int argc, char** argv) {
  const char* report = NULL;
  pid_t beside = 0;
  for (int option; (option = getopt(argc, argv, "+n:m:a:o:")) != -1;) {
    if (option == 'n') wanted = atol(optarg);
    if (option == 'm') mode = *optarg == 'k' ? MODE_KILL : strcmp(optarg, "eintr") ? MODE_ERROR : MODE_EINTR;
    if (option == 'a') beside = atoi(optarg);
    if (option == 'o') report = optarg;
    if (option == '?') return 125;
  }
  if (optind == argc) return 125;
  if (beside) seize(beside);
  start(argv + optind);
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) die("waitpid");
    if (WIFSTOPPED(status)) {
      on_stop(pid, status);
      continue;
    }
    forget(pid);
    if (pid != program) continue;
    write_report(report); /* whoever is still traced goes on untraced when this process ends */
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}
