// The first half of a shim's life: directory, log, streams, container.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "shim/internal/shim_process.h"
#include "sys/child.h"
#include "sys/file.h"
#include "sys/user_namespace.h"

namespace sampan::shim {

namespace {

/// Never killed for want of memory before the containers are: nobody else knows their exit codes.
bool protect_from_oom_killer() {
  return sys::write_kernel_file("/proc/self/oom_score_adj", "-998").has_value();
}

std::string path_of(int fd) {
  return fmt::format("/proc/{}/fd/{}", ::getpid(), fd);
}

/// The container joins the namespace that the descriptor stands for; one that wants a user namespace joins that which
/// owns the network, or its root would have no rights over it. Returns what keeps that one.
Result<sys::NsFd> join_network(oci::Spec& spec, int netns) {
  if (!spec.linux_) spec.linux_.emplace();
  auto& namespaces = spec.linux_->namespaces;
  if (std::ranges::find(namespaces, "network", &oci::Namespace::type) == namespaces.end())
    namespaces.push_back({"network", ""});
  sys::NsFd owner;
  for (auto& ns : namespaces) {
    if (ns.type == "network") ns.path = path_of(netns);
    if (ns.type != "user" || !ns.path.empty()) continue;
    owner = TRY_CONTEXT(sys::owner_of_namespace(netns), "find the user namespace");
    ns.path = path_of(owner.get());
  }
  return owner;
}

}  // namespace

Result<Reply> ShimProcess::create(ShimInput& input) {
  auto payload = TRY(read_start_payload(input.payload.get()));
  id_ = payload.message.id;
  generation_ = payload.message.generation;
  dir_ = payload.message.dir;
  if (named_) named_(id_);
  TRY_CONTEXT(prepare_directory(), "prepare the shim");
  again_.netns = std::move(input.netns);
  const StartMessage& message = payload.message;
  TRY(create_container(payload));
  keep_for_restart(message, std::move(input.payload));
  Reply reply;
  reply.pid = init_.pid;
  reply.generation = generation_;
  reply.protocol = kProtocol;
  reply.warnings = warnings_;
  return reply;
}

Result<void> ShimProcess::prepare_directory() {
  TRY(sys::make_dirs(dir_, 0700));
  dir_fd_ = TRY(sys::open_dir(dir_));
  // Left by an earlier run: its daemon has consumed the record, or another would have been told.
  TRY(sys::remove_file(dir_ + "/shim.sock"));
  TRY(sys::remove_file(dir_ + "/exit.json"));
  return links_.listen(dir_fd_.get());
}

Result<void> ShimProcess::create_container(Payload<StartMessage>& payload) {
  StartMessage& message = payload.message;
  log_ = TRY(logs::open_writer(writer_options_of(message.log)));
  if (message.spec.process) {
    message.spec.process->terminal = message.tty;
    auto& score = message.spec.process->oom_score_adj;
    if (protect_from_oom_killer() && !score) score = 0;  // it would inherit ours
    oom_score_adj_ = score;
  }
  sys::NsFd userns;
  if (again_.netns.valid()) userns = TRY(join_network(message.spec, again_.netns.get()));
  init_.streams = std::make_unique<ProcessStreams>(
      loop_, scratch_,
      StreamOptions{
          .tty = message.tty, .open_stdin = message.open_stdin, .stdin_once = message.stdin_once, .log = log_.get()},
      [this] {
        links_.send_reliably({.kind = static_cast<int>(ShimEvent::Kind::Detach),
                              .generation = generation_,
                              .time = codec::format_rfc3339(now_wall())});
      });
  TRY(plan_health(message, payload.seccomp));
  runtime::CreateOptions options;
  options.id = message.id;
  options.rootfs = message.rootfs;
  options.user = message.user;
  options.group_add = message.group_add;
  options.seccomp = std::move(payload.seccomp);
  options.cgroup_path = message.cgroup_path;
  options.init_path = message.init_path;
  options.host_cgroups = &host_;
  options.stdio = TRY(init_.streams->open_pipes());
  bind_mounts_.clear();
  for (auto& mount : runtime::bind_mounts_of(message.spec, options.init_path))
    bind_mounts_.push_back(std::move(mount.destination));
  // Only its first run: what the shim itself starts again begins anew.
  restored_ = !message.restore_images.empty() && !running_;
  container_ = TRY(restored_ ? restore_container(message, options) : runtime::create(message.spec, options));
  runtime::Process& process = container_->init();
  init_.pid = process.pid;
  warnings_ = std::move(process.warnings);
  init_.pidfd = std::move(process.pidfd);
  pollable_ = sys::is_pollable(init_.pidfd);
  init_.watch.set(loop_, init_.pidfd.get(), EPOLLIN, init_);
  // What a restored one writes before its clients are here waits in its pipes.
  if (!restored_) init_.streams->adopt(std::move(process.console));
  watch_memory();
  return {};
}

/// The container will never run, or must not run on: nothing of it stays.
void ShimProcess::abandon() {
  if (container_) (void)container_->destroy();
  links_.stop_listening();
  if (!dir_fd_.valid()) return;
  (void)sys::remove_file(dir_ + "/shim.sock");
  (void)::rmdir(dir_.c_str());  // stays when the daemon keeps something in it
}

}  // namespace sampan::shim
