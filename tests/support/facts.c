// What a container looks like from inside: the conformance suite's first process. It asks the kernel and prints one
// JSON object with the facts named on its command line; tests/conformance/README.md lists them.
//
//   facts WORD...         prints the facts
//   facts hold            waits for SIGTERM
//   facts hook NAME FILE  appends "NAME " and the state on standard input to FILE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;
static char** arguments;

static void put_string(const char* text) {
  putchar('"');
  for (const unsigned char* c = (const unsigned char*)text; *c; c++) {
    if (*c == '"' || *c == '\\')
      printf("\\%c", *c);
    else if (*c < 0x20)
      printf("\\u%04x", *c);
    else
      putchar(*c);
  }
  putchar('"');
}

static void put_field(const char* name, const char* value) {
  put_string(name);
  putchar(':');
  put_string(value);
}

static const char* error_name(int error) {
  const char* name = strerrorname_np(error);
  return name ? name : "unknown";
}

static void put_list(char** list) {
  putchar('[');
  for (char** item = list; *item; item++) {
    if (item != list) putchar(',');
    put_string(*item);
  }
  putchar(']');
}

// Not a buffer of stdio: /proc files must be read at one go. Returns the length, or -1 with errno.
static ssize_t read_text(const char* path, char* buffer, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return -1;
  size_t have = 0;
  ssize_t n = 0;
  while (have + 1 < size && (n = read(fd, buffer + have, size - 1 - have)) > 0) have += (size_t)n;
  int error = errno;
  close(fd);
  errno = error;
  buffer[have] = 0;
  return n < 0 && have == 0 ? -1 : (ssize_t)have;
}

static char text[1 << 18];

static void put_file(const char* path) {
  ssize_t size = read_text(path, text, sizeof text);
  if (size < 0) {
    put_string(error_name(errno));
    return;
  }
  while (size > 0 && text[size - 1] == '\n') text[--size] = 0;
  put_string(text);
}

// The value of "Key:" in /proc/self/status.
static void put_status(const char* key) {
  char line[256], found[256] = "";
  FILE* file = fopen("/proc/self/status", "re");
  while (file && fgets(line, sizeof line, file)) {
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0 || line[length] != ':') continue;
    char* value = line + length + 1;
    value += strspn(value, " \t");
    value[strcspn(value, "\n")] = 0;
    snprintf(found, sizeof found, "%s", value);
  }
  if (file) fclose(file);
  put_string(found);
}

static void argv_fact(const char* unused) {
  put_list(arguments);
}
static void env_fact(const char* unused) {
  put_list(environ);
}

static void cwd_fact(const char* unused) {
  char path[4096];
  put_string(getcwd(path, sizeof path) ? path : error_name(errno));
}

static void user_fact(const char* unused) {
  uid_t real, effective, saved;
  gid_t group, effective_group, saved_group, groups[128];
  getresuid(&real, &effective, &saved);
  getresgid(&group, &effective_group, &saved_group);
  printf("{\"uids\":[%u,%u,%u],\"gids\":[%u,%u,%u],\"groups\":[", real, effective, saved, group, effective_group,
         saved_group);
  int count = getgroups(128, groups);
  for (int i = 0; i < count; i++) printf("%s%u", i ? "," : "", groups[i]);
  printf("]}");
}

static void umask_fact(const char* unused) {
  mode_t mask = umask(0);
  umask(mask);
  printf("\"%04o\"", mask);
}

static void caps_fact(const char* unused) {
  static const char* const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
  for (int i = 0; i < 5; i++) {
    printf("%s\"%s\":", i ? "," : "{", sets[i]);
    put_status(sets[i]);
  }
  putchar('}');
}

static void no_new_privs_fact(const char* unused) {
  printf("%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}
static void dumpable_fact(const char* unused) {
  printf("%d", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}
static void seccomp_fact(const char* unused) {
  put_status("Seccomp");
}
static void threads_fact(const char* unused) {
  put_status("Threads");
}

static void signals_fact(const char* unused) {
  printf("{\"blocked\":");
  put_status("SigBlk");
  printf(",\"ignored\":");
  put_status("SigIgn");
  putchar('}');
}

static void rlimits_fact(const char* unused) {
  static const char* const names[] = {"CPU",      "FSIZE",  "DATA",    "STACK", "CORE",  "RSS",
                                      "NPROC",    "NOFILE", "MEMLOCK", "AS",    "LOCKS", "SIGPENDING",
                                      "MSGQUEUE", "NICE",   "RTPRIO",  "RTTIME"};
  for (int i = 0; i < 16; i++) {
    struct rlimit limit;
    getrlimit((__rlimit_resource_t)i, &limit);
    printf("%s\"%s\":[%lld,%lld]", i ? "," : "{", names[i], (long long)limit.rlim_cur, (long long)limit.rlim_max);
  }
  putchar('}');
}

static void rlimit_fact(const char* number) {
  struct rlimit limit = {0, 0};
  getrlimit((__rlimit_resource_t)atoi(number), &limit);
  printf("[%lld,%lld]", (long long)limit.rlim_cur, (long long)limit.rlim_max);
}

static void oom_score_adj_fact(const char* unused) {
  put_file("/proc/self/oom_score_adj");
}
static void hostname_fact(const char* unused) {
  put_file("/proc/sys/kernel/hostname");
}
static void domainname_fact(const char* unused) {
  put_file("/proc/sys/kernel/domainname");
}
static void cgroup_fact(const char* unused) {
  put_file("/proc/self/cgroup");
}
static void read_fact(const char* path) {
  put_file(path);
}

static void namespaces_fact(const char* unused) {
  static const char* const names[] = {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"};
  for (int i = 0; i < 8; i++) {
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n < 0 ? 0 : n] = 0;
    putchar(i ? ',' : '{');
    put_field(names[i], target);
  }
  putchar('}');
}

static void sysctl_fact(const char* name) {
  char path[256];
  snprintf(path, sizeof path, "/proc/sys/%s", name);
  for (char* c = path + strlen("/proc/sys/"); *c; c++)
    if (*c == '.') *c = '/';
  put_file(path);
}

static const char* propagation(const char* optional) {
  if (strstr(optional, "shared:")) return strstr(optional, "master:") ? "shared+slave" : "shared";
  if (strstr(optional, "master:")) return "slave";
  return strstr(optional, "unbindable") ? "unbindable" : "private";
}

// One line of mountinfo: id parent dev root destination options optional... - type source super.
static void put_mount(char* line, int with_super) {
  char device[32], destination[1024], options[1024], kind[64], super[2048] = "";
  char* tail = strstr(line, " - ");
  int used = 0;
  if (!tail || sscanf(line, "%*d %*d %31s %*s %1023s %1023s%n", device, destination, options, &used) < 3) return;
  *tail = 0;
  sscanf(tail + 3, "%63s %*s %2047[^\n]", kind, super);
  putchar('{');
  put_field("destination", destination);
  putchar(',');
  put_field("type", kind);
  putchar(',');
  put_field("device", device);
  putchar(',');
  put_field("options", options);
  putchar(',');
  put_field("propagation", propagation(line + used));
  if (with_super) {
    putchar(',');
    put_field("super", super);
  }
  putchar('}');
}

// `only` null: all of them; else those at and below that destination.
static void put_mounts(const char* only, int with_super) {
  char* line = NULL;
  size_t size = 0;
  int some = 0;
  FILE* file = fopen("/proc/self/mountinfo", "re");
  putchar('[');
  while (file && getline(&line, &size, file) > 0) {
    char destination[1024] = "";
    sscanf(line, "%*d %*d %*s %*s %1023s", destination);
    size_t length = only ? strlen(only) : 0;
    if (only && (strncmp(destination, only, length) != 0 || (destination[length] && destination[length] != '/')))
      continue;
    if (some++) putchar(',');
    put_mount(line, with_super);
  }
  putchar(']');
  if (file) fclose(file);
  free(line);
}

static void mounts_fact(const char* unused) {
  put_mounts(NULL, 0);
}
static void mount_fact(const char* destination) {
  put_mounts(destination, 0);
}
static void super_fact(const char* destination) {
  put_mounts(destination, 1);
}

static const char* kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFCHR:
      return "c";
    case S_IFBLK:
      return "b";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    case S_IFLNK:
      return "link";
    default:
      return "other";
  }
}

static void stat_fact(const char* path) {
  struct stat st;
  if (lstat(path, &st) < 0) {
    put_string(error_name(errno));
    return;
  }
  putchar('{');
  put_field("type", kind_of(st.st_mode));
  if (S_ISLNK(st.st_mode)) {
    char target[1024];
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n < 0 ? 0 : n] = 0;
    putchar(',');
    put_field("target", target);
  } else {
    printf(",\"mode\":\"%04o\",\"owner\":\"%u:%u\"", st.st_mode & 07777, st.st_uid, st.st_gid);
  }
  if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) printf(",\"number\":\"%u:%u\"", major(st.st_rdev), minor(st.st_rdev));
  putchar('}');
}

static int visible(const struct dirent* entry) {
  return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void ls_fact(const char* path) {
  struct dirent** entries;
  int count = scandir(path, &entries, visible, alphasort);
  if (count < 0) {
    put_string(error_name(errno));
    return;
  }
  putchar('[');
  for (int i = 0; i < count; i++) {
    if (i) putchar(',');
    put_string(entries[i]->d_name);
  }
  putchar(']');
}

static void devices_fact(const char* unused) {
  struct dirent** entries;
  int count = scandir("/dev", &entries, visible, alphasort);
  putchar('{');
  for (int i = 0; i < count; i++) {
    char path[512];
    snprintf(path, sizeof path, "/dev/%s", entries[i]->d_name);
    if (i) putchar(',');
    put_string(entries[i]->d_name);
    putchar(':');
    stat_fact(path);
  }
  putchar('}');
}

static void fds_fact(const char* unused) {
  int some = 0;
  putchar('{');
  for (int fd = 0; fd < 1024; fd++) {
    struct stat st;
    if (fstat(fd, &st) < 0) continue;
    int flags = fcntl(fd, F_GETFL);
    printf("%s\"%d\":\"%s%s\"", some++ ? "," : "", fd, kind_of(st.st_mode),
           (flags & O_ACCMODE) == O_RDONLY ? " read" : "");
  }
  putchar('}');
}

// What opening and one byte gives. Writing stops at the open: the file may be the host's kernel.
static void open_fact(const char* path) {
  char byte;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  putchar('{');
  if (fd < 0) {
    put_field("read", error_name(errno));
  } else {
    ssize_t n = read(fd, &byte, 1);
    put_field("read", n < 0 ? error_name(errno) : n ? "data" : "empty");
    close(fd);
  }
  putchar(',');
  fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  put_field("write", fd < 0 ? error_name(errno) : "ok");
  if (fd >= 0) close(fd);
  putchar('}');
}

static void create_fact(const char* directory) {
  char path[512];
  snprintf(path, sizeof path, "%s/.made", directory);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  put_string(fd < 0 ? error_name(errno) : "ok");
  if (fd >= 0) {
    close(fd);
    unlink(path);
  }
}

// In a child, which may be killed for it.
static void in_child(int (*action)(const char*), const char* argument) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    errno = 0;
    _exit(action(argument) < 0 ? errno : 0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0)
    put_string(error_name(errno));
  else if (WIFSIGNALED(status))
    printf("\"SIG%s\"", sigabbrev_np(WTERMSIG(status)));
  else
    put_string(WEXITSTATUS(status) ? error_name(WEXITSTATUS(status)) : "ok");
}

static int execute(const char* path) {
  char* const words[] = {(char*)path, (char*)"true", NULL};
  return execve(path, words, environ);
}

static int touch_device(const char* path) {
  return mknod(path, S_IFCHR | 0600, makedev(1, 3));
}

static const struct {
  const char* name;
  long number;
} calls[] = {{"getcwd", SYS_getcwd},
             {"mkdirat", SYS_mkdirat},
             {"fchmod", SYS_fchmod},
             {"personality", SYS_personality},
             {"unshare", SYS_unshare},
             {"mount", SYS_mount},
             {"ptrace", SYS_ptrace},
             {"keyctl", SYS_keyctl},
             {"sethostname", SYS_sethostname},
             {"socket", SYS_socket},
             {"dup", SYS_dup},
             {"setns", SYS_setns},
             {"getpriority", SYS_getpriority},
             {"chroot", SYS_chroot},
             {"lseek", SYS_lseek},
             {"setuid", SYS_setuid}};

// NAME[,ARGUMENT...]: the raw call with these numbers.
static int call(const char* words) {
  long values[6] = {0, 0, 0, 0, 0, 0};
  size_t length = strcspn(words, ",");
  const char* next = words + length;
  for (int i = 0; i < 6 && *next == ','; i++) values[i] = strtol(next + 1, (char**)&next, 0);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (strlen(calls[i].name) == length && strncmp(calls[i].name, words, length) == 0)
      return (int)syscall(calls[i].number, values[0], values[1], values[2], values[3], values[4], values[5]);
  errno = ENOTSUP;
  return -1;
}

static void exec_fact(const char* path) {
  in_child(execute, path);
}
static void call_fact(const char* words) {
  in_child(call, words);
}
static void mknod_fact(const char* path) {
  in_child(touch_device, path);
}

static void personality_fact(const char* unused) {
  printf("\"%08x\"", personality(0xffffffff));
}

static void scheduler_fact(const char* unused) {
  struct sched_param parameters = {0};
  sched_getparam(0, &parameters);
  printf("{\"policy\":%d,\"priority\":%d,\"nice\":%d}", sched_getscheduler(0), parameters.sched_priority,
         getpriority(PRIO_PROCESS, 0));
}

static void ioprio_fact(const char* unused) {
  long value = syscall(SYS_ioprio_get, 1, 0);
  printf("{\"class\":%ld,\"level\":%ld}", value >> 13, value & 7);
}

static void affinity_fact(const char* unused) {
  cpu_set_t set;
  int some = 0;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  putchar('[');
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &set)) printf("%s%d", some++ ? "," : "", i);
  putchar(']');
}

static void process_fact(const char* unused) {
  printf("{\"pid\":%d,\"ppid\":%d,\"group\":%d,\"session\":%d}", getpid(), getppid(), getpgrp(), getsid(0));
}

static void tty_fact(const char* unused) {
  char name[256] = "";
  struct winsize size = {0, 0, 0, 0};
  int is_tty = isatty(0);
  if (is_tty) {
    if (ttyname_r(0, name, sizeof name) != 0) name[0] = 0;
    ioctl(0, TIOCGWINSZ, &size);
  }
  int controlling = open("/dev/tty", O_RDWR | O_CLOEXEC);
  printf("{\"name\":\"%s\",\"controlling\":%s,\"rows\":%d,\"columns\":%d,\"ends\":[%d,%d,%d]}", name,
         controlling >= 0 ? "true" : "false", size.ws_row, size.ws_col, is_tty, isatty(1), isatty(2));
  if (controlling >= 0) close(controlling);
}

static const struct {
  const char* name;
  void (*print)(const char* argument);
} facts[] = {
    {"argv", argv_fact},
    {"env", env_fact},
    {"cwd", cwd_fact},
    {"user", user_fact},
    {"umask", umask_fact},
    {"caps", caps_fact},
    {"no_new_privs", no_new_privs_fact},
    {"dumpable", dumpable_fact},
    {"seccomp", seccomp_fact},
    {"threads", threads_fact},
    {"signals", signals_fact},
    {"rlimits", rlimits_fact},
    {"rlimit", rlimit_fact},
    {"oom_score_adj", oom_score_adj_fact},
    {"hostname", hostname_fact},
    {"domainname", domainname_fact},
    {"cgroup", cgroup_fact},
    {"read", read_fact},
    {"namespaces", namespaces_fact},
    {"sysctl", sysctl_fact},
    {"mounts", mounts_fact},
    {"mount", mount_fact},
    {"super", super_fact},
    {"stat", stat_fact},
    {"ls", ls_fact},
    {"devices", devices_fact},
    {"fds", fds_fact},
    {"open", open_fact},
    {"create", create_fact},
    {"exec", exec_fact},
    {"call", call_fact},
    {"mknod", mknod_fact},
    {"personality", personality_fact},
    {"scheduler", scheduler_fact},
    {"ioprio", ioprio_fact},
    {"affinity", affinity_fact},
    {"process", process_fact},
    {"tty", tty_fact},
};

static void put_fact(const char* word) {
  size_t length = strcspn(word, ":");
  const char* argument = word[length] ? word + length + 1 : "";
  put_string(word);
  putchar(':');
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
    if (strlen(facts[i].name) == length && strncmp(facts[i].name, word, length) == 0) {
      facts[i].print(argument);
      return;
    }
  }
  put_string("no such fact");
}

static int hold(void) {
  sigset_t set;
  int number;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  sigwait(&set, &number);
  return 0;
}

// The line is one write, so that hooks of several processes never mix.
static int hook(const char* name, const char* path) {
  int used = snprintf(text, sizeof text, "%s ", name);
  ssize_t n;
  while (used + 2 < (int)sizeof text && (n = read(0, text + used, sizeof text - 2 - (size_t)used)) > 0) used += (int)n;
  for (char* c = text; c < text + used; c++)
    if (*c == '\n') *c = ' ';
  text[used++] = '\n';
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  return fd < 0 || write(fd, text, (size_t)used) != used;
}

int main(int argc, char** argv) {
  arguments = argv;
  if (argc == 2 && strcmp(argv[1], "hold") == 0) return hold();
  if (argc == 2 && strcmp(argv[1], "true") == 0) return 0;
  if (argc == 4 && strcmp(argv[1], "hook") == 0) return hook(argv[2], argv[3]);
  putchar('{');
  for (int i = 1; i < argc; i++) {
    if (i > 1) putchar(',');
    put_fact(argv[i]);
  }
  puts("}");
  return 0;
}
