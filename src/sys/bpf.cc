#include "sys/bpf.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "sys/error.h"

namespace sampan::sys {
namespace {

constexpr uint32_t kMaxAttached = 64;

long bpf(int command, bpf_attr& attributes) {
  return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

Result<std::vector<uint32_t>> attached_programs(int cgroup) {
  std::vector<uint32_t> ids(kMaxAttached);
  bpf_attr query = {};
  query.query.target_fd = static_cast<uint32_t>(cgroup);
  query.query.attach_type = BPF_CGROUP_DEVICE;
  query.query.prog_ids = reinterpret_cast<uint64_t>(ids.data());
  query.query.prog_cnt = kMaxAttached;
  if (bpf(BPF_PROG_QUERY, query) < 0) return sys_error("bpf BPF_PROG_QUERY");
  ids.resize(query.query.prog_cnt);
  return ids;
}

}  // namespace

Result<BpfFd> load_device_program(std::span<const uint64_t> instructions) {
  static constexpr char kLicense[] = "Apache";
  std::string words(4096, '\0');
  bpf_attr load = {};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<uint64_t>(instructions.data());
  load.insn_cnt = static_cast<uint32_t>(instructions.size());
  load.license = reinterpret_cast<uint64_t>(kLicense);
  long fd = bpf(BPF_PROG_LOAD, load);
  if (fd >= 0) return BpfFd(static_cast<int>(fd));
  load.log_buf = reinterpret_cast<uint64_t>(words.data());
  load.log_size = static_cast<uint32_t>(words.size());
  load.log_level = 1;
  fd = bpf(BPF_PROG_LOAD, load);
  if (fd >= 0) return BpfFd(static_cast<int>(fd));
  return sys_error("bpf BPF_PROG_LOAD", words.c_str());
}

Result<void> attach_device_program(int cgroup, const BpfFd& program) {
  auto before = TRY(attached_programs(cgroup));
  bpf_attr attach = {};
  attach.target_fd = static_cast<uint32_t>(cgroup);
  attach.attach_bpf_fd = static_cast<uint32_t>(program.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (bpf(BPF_PROG_ATTACH, attach) < 0) return sys_error("bpf BPF_PROG_ATTACH");
  for (uint32_t id : before) {
    bpf_attr by_id = {};
    by_id.prog_id = id;
    long old = bpf(BPF_PROG_GET_FD_BY_ID, by_id);
    if (old < 0) return sys_error("bpf BPF_PROG_GET_FD_BY_ID");
    BpfFd owned(static_cast<int>(old));
    bpf_attr detach = {};
    detach.target_fd = static_cast<uint32_t>(cgroup);
    detach.attach_bpf_fd = static_cast<uint32_t>(old);
    detach.attach_type = BPF_CGROUP_DEVICE;
    if (bpf(BPF_PROG_DETACH, detach) < 0) return sys_error("bpf BPF_PROG_DETACH");
  }
  return {};
}

}  // namespace sampan::sys
