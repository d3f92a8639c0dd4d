// The files of a control group: every one of them has the same bytes.
#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"
#include "sys/file.h"

namespace {

using namespace sampan;

constexpr const char* kNames[] = {"memory.usage_in_bytes",
                                  "memory.limit_in_bytes",
                                  "memory.stat",
                                  "memory.events",
                                  "memory.max",
                                  "memory.current",
                                  "cpu.stat",
                                  "cpuacct.usage",
                                  "cpuacct.usage_percpu",
                                  "cpuacct.stat",
                                  "io.stat",
                                  "pids.current",
                                  "pids.max",
                                  "blkio.throttle.io_service_bytes",
                                  "blkio.throttle.io_serviced",
                                  "blkio.throttle.io_service_bytes_recursive",
                                  "blkio.throttle.io_serviced_recursive",
                                  "blkio.io_service_bytes_recursive",
                                  "blkio.io_serviced_recursive"};

class Directory {
 public:
  Directory() {
    require(::mkdtemp(path_.data()) != nullptr, "a directory can be made");
    for (const char* name : kNames) require(::symlink("data", (path_ + "/" + name).c_str()) == 0, "a link can be made");
  }
  ~Directory() { (void)sys::remove_tree(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/dev/shm/sampan.fuzz.XXXXXX";
};

}  // namespace

FUZZ_TARGET(cgroup_files) {
  static const Directory directory;
  const std::string& dir = directory.path();
  auto file = sys::open_file(dir + "/data", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  require(file && sys::write_all(file->get(), input), "a file can be written");
  cgroup::Stats stats;
  for (const auto* controller : cgroup::internal::all_controllers()) {
    if (controller->stats_v1) controller->stats_v1(dir, stats);
    if (controller->stats_v2) controller->stats_v2(dir, stats);
  }
  for (const auto& word : cgroup::internal::words(input))
    require(!word.empty() && word.find(' ') == std::string::npos, "a word has no spaces");
  (void)cgroup::internal::parse_blkio(input);
}
