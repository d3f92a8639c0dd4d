/* Runs a program as on a kernel of the years before 2019: the system calls below answer ENOSYS, to it and to everything
 * that it starts. Needs CAP_SYS_ADMIN, because no_new_privs would be one more thing that the program can see.
 *
 *   old_kernel PROGRAM ARG...
 *
 * Started by another name, NAME.old, it runs the program NAME that lies beside it or in ../bin.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int kMissing[] = {SYS_openat2, SYS_clone3, SYS_mount_setattr, SYS_open_tree,  SYS_fsopen,     SYS_fsconfig,
                               SYS_fsmount, SYS_fspick, SYS_move_mount,    SYS_pidfd_open, SYS_close_range};
enum { MISSING = sizeof kMissing / sizeof *kMissing };

static int install(void) {
  struct sock_filter program[MISSING + 3];
  program[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < MISSING; ++i)
    program[1 + i] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)kMissing[i], (unsigned char)(MISSING - i), 0);
  program[1 + MISSING] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  program[2 + MISSING] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
  struct sock_fprog filter = {MISSING + 3, program};
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

/* "/build/tests/sampan-runtime.old" stands for "/build/bin/sampan-runtime". */
static const char* real_program(char* own, char* path, size_t size) {
  char name[NAME_MAX + 1];
  snprintf(name, sizeof name, "%s", basename(own));
  char* end = strstr(name, ".old");
  if (!end || end[4]) return NULL;
  *end = '\0';
  static char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n < 0) return NULL;
  self[n] = '\0';
  snprintf(path, size, "%s/../bin/%s", dirname(self), name);
  return path;
}

int main(int argc, char** argv) {
  char path[PATH_MAX * 2], own[PATH_MAX];
  snprintf(own, sizeof own, "%s", argv[0]);
  const char* program = real_program(own, path, sizeof path);
  if (!program) {
    if (argc < 2) {
      fprintf(stderr, "usage: old_kernel PROGRAM ARG...\n");
      return 125;
    }
    program = *++argv;
  } else {
    argv[0] = path;
  }
  if (install() < 0) {
    perror("old_kernel: seccomp");
    return 125;
  }
  execvp(program, argv);
  perror(program);
  return 125;
}
