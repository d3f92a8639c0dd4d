// The kernel's own price for what a default container needs, without a runtime around it: the same namespaces, control
// groups, mounts, masks and filter made by the barest program, with the time that each step takes.
//
// usage: floor ROOTFS CGROUP   ROOTFS holds /bin/true (static); CGROUP is a name that is free below each hierarchy.
// Prints one "step<TAB>nanoseconds" line per step, then "total<TAB>nanoseconds" (clone to the end of /bin/true).
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMaxHierarchies = 16, kMaxSteps = 32 };

// Shared between parent and child, so that telling a time costs nothing.
struct Times {
  int count;
  struct {
    char name[40];
    long long nanoseconds;
  } steps[kMaxSteps];
};
static struct Times* times;
static char hierarchies[kMaxHierarchies][256];
static int hierarchy_count;

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char* what) {
  perror(what);
  _exit(111);
}

static long long lap(const char* name, long long began) {
  int i = times->count++;
  snprintf(times->steps[i].name, sizeof times->steps[i].name, "%s", name);
  times->steps[i].nanoseconds = now() - began;
  return now();
}

static void find_hierarchies(void) {
  FILE* mounts = fopen("/proc/self/mountinfo", "r");
  char line[4096], point[256];
  while (mounts && fgets(line, sizeof line, mounts)) {
    if (!strstr(line, " - cgroup ") && !strstr(line, " - cgroup2 ")) continue;
    if (sscanf(line, "%*s %*s %*s %*s %255s", point) == 1 && hierarchy_count < kMaxHierarchies)
      strcpy(hierarchies[hierarchy_count++], point);
  }
  if (mounts) fclose(mounts);
}

static void write_file(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) die(path);
  close(fd);
}

static void make_cgroups(const char* name) {
  char path[600];
  for (int i = 0; i < hierarchy_count; ++i) {
    snprintf(path, sizeof path, "%s/%s", hierarchies[i], name);
    if (mkdir(path, 0755) < 0 && errno != EEXIST) die(path);
    if (!strstr(hierarchies[i], "cpuset")) continue;
    snprintf(path, sizeof path, "%s/%s/cgroup.clone_children", hierarchies[i], name);
    if (access(path, F_OK) < 0) continue;
    char value[256];
    const char* files[] = {"cpuset.cpus", "cpuset.mems"};
    for (int k = 0; k < 2; ++k) {
      snprintf(path, sizeof path, "%s/%s", hierarchies[i], files[k]);
      int fd = open(path, O_RDONLY | O_CLOEXEC);
      ssize_t got = fd < 0 ? 0 : read(fd, value, sizeof value - 1);
      if (fd >= 0) close(fd);
      value[got > 0 ? got : 0] = '\0';
      snprintf(path, sizeof path, "%s/%s/%s", hierarchies[i], name, files[k]);
      if (got > 0) write_file(path, value);
    }
  }
}

static void join_cgroups(const char* name) {
  char path[600];
  for (int i = 0; i < hierarchy_count; ++i) {
    snprintf(path, sizeof path, "%s/%s/tasks", hierarchies[i], name);
    if (access(path, F_OK) == 0) write_file(path, "0");  // the unified one has none: the child is born in it
  }
}

static pid_t clone_into(const char* name) {
  struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
                            .exit_signal = SIGCHLD};
  char path[600];
  for (int i = 0; i < hierarchy_count; ++i) {
    snprintf(path, sizeof path, "%s/%s/cgroup.controllers", hierarchies[i], name);
    if (access(path, F_OK) < 0) continue;
    snprintf(path, sizeof path, "%s/%s", hierarchies[i], name);
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (unsigned long long)open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  }
  return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static void remove_cgroups(const char* name) {
  char path[600];
  for (int i = 0; i < hierarchy_count; ++i) {
    snprintf(path, sizeof path, "%s/%s", hierarchies[i], name);
    rmdir(path);
  }
}

static void loopback_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo"};
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) die("lo");
  close(fd);
}

static void mount_it(const char* type, const char* at, unsigned long flags, const char* data) {
  mkdir(at, 0755);
  if (mount(type, at, type, flags, data) < 0) die(at);
}

static void make_mounts(void) {
  const unsigned long quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  mount_it("proc", "proc", quiet, NULL);
  mount_it("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
  mount_it("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
  mount_it("sysfs", "sys", quiet | MS_RDONLY, NULL);
  mount_it("tmpfs", "sys/fs/cgroup", quiet, "mode=755");
  for (int i = 0; i < hierarchy_count; ++i) {
    char at[300];
    const char* name = strrchr(hierarchies[i], '/');
    snprintf(at, sizeof at, "sys/fs/cgroup%s", strcmp(name, "/cgroup") ? name : "/unified");
    mkdir(at, 0755);
    if (mount(hierarchies[i], at, NULL, MS_BIND, NULL) < 0) die(at);
    mount(NULL, at, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | quiet, NULL);
  }
  mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | quiet, NULL);
  mkdir("dev/mqueue", 0755);
  mount("mqueue", "dev/mqueue", "mqueue", quiet, NULL);  // some kernels have none
  mount_it("tmpfs", "dev/shm", quiet, "mode=1777,size=65536k");
}

static void make_devices(void) {
  static const struct {
    const char* name;
    int minor, major;
  } nodes[] = {{"null", 3, 1}, {"zero", 5, 1}, {"full", 7, 1}, {"random", 8, 1}, {"urandom", 9, 1}, {"tty", 0, 5}};
  char path[64];
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; ++i) {
    snprintf(path, sizeof path, "dev/%s", nodes[i].name);
    if (mknod(path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0) die(path);
  }
}

static void enter_root(void) {
  if (syscall(SYS_pivot_root, ".", ".") < 0) die("pivot_root");
  if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) die("umount");
}

static void mask(void) {
  static const char* hidden[] = {"/proc/kcore",       "/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
                                 "/proc/timer_stats", "/proc/sched_debug", "/proc/interrupts"};
  static const char* hidden_directories[] = {"/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware",
                                             "/sys/devices/virtual/powercap"};
  static const char* readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; ++i) mount("/dev/null", hidden[i], NULL, MS_BIND, NULL);
  for (size_t i = 0; i < sizeof hidden_directories / sizeof *hidden_directories; ++i)
    mount("tmpfs", hidden_directories[i], "tmpfs", MS_RDONLY, NULL);  // those that are missing fail at once
  for (size_t i = 0; i < sizeof readonly / sizeof *readonly; ++i) {
    if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0) continue;
    mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  }
}

/// As long as Docker's compiled profile is, allowing everything: the kernel checks and converts every instruction.
static void load_filter(void) {
  enum { kLength = 700 };
  static struct sock_filter code[kLength];
  for (int i = 0; i < kLength - 1; ++i)
    code[i] = i % 2 ? (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 100000 + i, 0, 0)
                    : (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
  code[kLength - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {kLength, code};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) die("seccomp");
}

static int child(const char* rootfs, const char* cgroup) {
  long long t = now();
  join_cgroups(cgroup);
  if (unshare(CLONE_NEWCGROUP) < 0) die("unshare");
  t = lap("join control groups", t);
  loopback_up();
  t = lap("set up network", t);
  if (sethostname("floor", 5) < 0) die("sethostname");
  if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0) die("slave");
  if (mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(rootfs) < 0) die(rootfs);
  t = lap("mount rootfs", t);
  make_mounts();
  t = lap("mount", t);
  make_devices();
  t = lap("make devices", t);
  enter_root();
  t = lap("enter rootfs", t);
  mask();
  t = lap("mask paths", t);
  load_filter();
  lap("finish privileges", t);
  char* argv[] = {"/bin/true", NULL};
  execv(argv[0], argv);
  die(argv[0]);
  return 111;
}

int main(int argc, char** argv) {
  if (argc != 3) return fputs("usage: floor ROOTFS CGROUP\n", stderr), 2;
  int shared = memfd_create("times", MFD_CLOEXEC);
  if (shared < 0 || ftruncate(shared, sizeof *times) < 0) die("memfd");

  times = mmap(NULL, sizeof *times, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
  find_hierarchies();
  long long began = now(), t = began;
  make_cgroups(argv[2]);
  t = lap("parent: create control groups", t);
  pid_t pid = clone_into(argv[2]);
  if (pid < 0) die("clone");
  if (pid == 0) return child(argv[1], argv[2]);
  t = lap("parent: clone", t);
  int status = 0;
  if (waitpid(pid, &status, 0) < 0) die("wait");
  t = now();
  remove_cgroups(argv[2]);
  lap("parent: remove control groups", t);
  long long total = now() - began;
  for (int i = 0; i < times->count; ++i) printf("%s\t%lld\n", times->steps[i].name, times->steps[i].nanoseconds);
  printf("total\t%lld\n", total);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 111;
}
