// What a hostile container does, as one static program: tests/integration/hostile.py builds it.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int seen, opened, refused;

static void found(const char* what, const char* pid) {
  printf("LEAK %s of %s\n", what, pid);
  fflush(stdout);
}

// A foreign process may show nothing but what any program of this container has: its streams and the container's files.
// That a number exists is told to every root user; what it leads to is not.
static void look_at_descriptors(const char* pid) {
  char path[64], target[256];
  snprintf(path, sizeof path, "/proc/%s/fd", pid);
  DIR* fds = opendir(path);
  if (!fds) {
    refused += errno == EACCES;
    return;
  }
  struct dirent* entry;
  while ((entry = readdir(fds))) {
    if (entry->d_name[0] == '.' || atoi(entry->d_name) <= 2) continue;
    int fd = openat(dirfd(fds), entry->d_name, O_PATH | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) refused++;
    if (fd >= 0 || readlinkat(dirfd(fds), entry->d_name, target, sizeof target) > 0) found("descriptor", pid);
    if (fd >= 0) close(fd);
  }
  closedir(fds);
}

static void look_at_program(const char* pid, dev_t device) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  struct stat info;
  if (fstat(fd, &info) == 0 && info.st_dev != device) found("program", pid);
  close(fd);
}

// Keeps a handle of whatever program a process has, and asks to write it as soon as nobody runs it.
static void overwrite(const char* pid, dev_t device) {
  char path[64], again[64];
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return;
  struct stat info;
  if (fstat(fd, &info) == 0 && info.st_dev != device) {
    opened++;
    snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
    for (int i = 0; i < 2000; i++) {
      int writable = open(again, O_WRONLY | O_CLOEXEC);
      if (writable >= 0) {
        found("writable program", pid);
        (void)!write(writable, "#!/bin/false\n", 13);
        close(writable);
        break;
      }
      if (errno != ETXTBSY) break;
    }
  }
  close(fd);
}

static int watch(double seconds, int writes) {
  struct stat self;
  stat("/proc/self/exe", &self);
  printf("watching\n");
  fflush(stdout);
  for (double end = now() + seconds; now() < end;) {
    DIR* all = opendir("/proc");
    struct dirent* entry;
    while (all && (entry = readdir(all))) {
      int pid = atoi(entry->d_name);
      if (pid <= 1 || pid == getpid()) continue;
      seen++;
      if (writes) {
        overwrite(entry->d_name, self.st_dev);
      } else {
        look_at_descriptors(entry->d_name);
        look_at_program(entry->d_name, self.st_dev);
      }
    }
    if (all) closedir(all);
  }
  printf("seen %d opened %d refused %d\n", seen, opened, refused);
  return 0;
}

// Exchanges two names for ever.
static int swap(const char* one, const char* other) {
  for (;;)
    if (syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2) < 0 && errno != ENOENT && errno != EBUSY) return 1;
}

// socket(AF_INET, SOCK_STREAM) as programs of 32-bit systems make it.
static int socketcall(void) {
#ifdef __x86_64__
  static unsigned arguments[3] = {2, 1, 0};
  int result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(102), "b"(1), "c"((unsigned)(unsigned long)arguments)
                   : "memory", "r8", "r9", "r10", "r11");
  printf("socketcall %d\n", result);
  return result < 0;
#else
  return 77;
#endif
}

int main(int argc, char** argv) {
  if (argc == 3 && !strcmp(argv[1], "peek")) return watch(atof(argv[2]), 0);
  if (argc == 3 && !strcmp(argv[1], "overwrite")) return watch(atof(argv[2]), 1);
  if (argc == 4 && !strcmp(argv[1], "swap")) return swap(argv[2], argv[3]);
  if (argc == 2 && !strcmp(argv[1], "socketcall")) return socketcall();
  return 2;
}
